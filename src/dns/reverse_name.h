// Reverse names: 1.0.96.10.in-addr.arpa (RFC 1035, 3.5) and the nibbles under ip6.arpa (RFC
// 3596, 2.5).

#pragma once

#include "base/ip_address.h"
#include "dns/name.h"
#include "dns/query.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace waypost::dns {

// In wire form; each has two labels.
inline constexpr std::string_view InAddrArpa{"\7in-addr\4arpa\0", 14};
inline constexpr std::string_view Ip6Arpa{"\3ip6\4arpa\0", 10};

inline constexpr std::size_t ReverseLabelsV4 = 4;
inline constexpr std::size_t ReverseLabelsV6 = 32;
// Of the whole name of `address`, in front of in-addr.arpa or ip6.arpa.
constexpr std::size_t reverse_labels(const IpAddress& address) noexcept {
  return address.is_v4() ? ReverseLabelsV4 : ReverseLabelsV6;
}

// True for in-addr.arpa, ip6.arpa and everything below them.  `name` is in lower case.
inline bool is_reverse(const NameKey& name) noexcept {
  return name.is_within(as_bytes(InAddrArpa), 2) || name.is_within(as_bytes(Ip6Arpa), 2);
}
// The same in any case.
bool is_reverse(const Name& name) noexcept;

// A reverse name that has been read: an address, or a prefix of one.
struct ReverseName {
  IpAddress address;       // Zero behind the labels that are there.
  std::size_t labels = 0;  // In front of in-addr.arpa or ip6.arpa.

  bool is_whole() const noexcept { return labels == reverse_labels(address); }
};

// Reads a lower-case name.  Nothing for a name outside in-addr.arpa and ip6.arpa, for one of these
// themselves, for labels that are not decimal octets without leading zeros or single hexadecimal
// nibbles, and for too many labels.
std::optional<ReverseName> read_reverse_name(const NameKey& name) noexcept;

// A name in wire form, in place.
struct ReverseWire {
  std::array<std::uint8_t, 80> octets{};
  std::size_t size = 0;
  Bytes wire() const noexcept { return {octets.data(), size}; }
};

// The reverse name of the first `labels` octets or nibbles of `address`, or of all.
ReverseWire write_reverse_name(const IpAddress& address, std::size_t labels) noexcept;
inline ReverseWire write_reverse_name(const IpAddress& address) noexcept {
  return write_reverse_name(address, reverse_labels(address));
}

// The same as a name of its own.
Name reverse_name(const IpAddress& address, std::size_t labels);
inline Name reverse_name(const IpAddress& address) {
  return reverse_name(address, reverse_labels(address));
}

// `address` with everything behind its first `labels` octets or nibbles zero.
IpAddress reverse_prefix(const IpAddress& address, std::size_t labels) noexcept;

}  // namespace waypost::dns
