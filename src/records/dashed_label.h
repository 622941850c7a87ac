// The label that stands for an address: 10-244-1-5, fd00--1.
//
// Private to the room; never allocates.

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace waypost::records {

// A label in wire form, in place.
class DashedLabel {
 public:
  explicit DashedLabel(const IpAddress& address) noexcept;

  // With its length octet.
  Bytes wire() const noexcept { return {octets_.data(), octets_[0] + std::size_t{1}}; }
  std::string_view text() const noexcept { return as_text(wire().subspan(1)); }

 private:
  std::array<std::uint8_t, 48> octets_;  // 39 octets of text at most, and a final 0.
};

// Reads a label in any spelling of an address: three single dashes make IPv4, everything else IPv6,
// as CoreDNS does.
std::optional<IpAddress> read_dashed_address(Bytes label) noexcept;

// Reads a label that is spelled as DashedLabel spells it.
std::optional<IpAddress> read_dashed_label(Bytes label) noexcept;

}  // namespace waypost::records
