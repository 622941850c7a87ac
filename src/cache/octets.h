// The alphabet of packed objects: numbers of 7 bits an octet, texts with their size in front.
//
// Reading trusts what it reads: packed objects never leave the process that packed them.

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace waypost::cache {

class OctetWriter {
 public:
  // Appends to `out`, which is borrowed.
  explicit OctetWriter(std::string& out) noexcept : out_(out) {}

  void octet(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
      octet(static_cast<std::uint8_t>(value | 0x80));
    }
    octet(static_cast<std::uint8_t>(value));
  }
  void text(std::string_view value) {
    number(value.size());
    out_ += value;
  }
  // 4 or 16 octets; the reader is told which.
  void address(const IpAddress& value) { out_ += as_text(value.octets()); }

 private:
  std::string& out_;
};

class OctetReader {
 public:
  explicit OctetReader(std::string_view octets) noexcept : rest_(octets) {}

  std::uint8_t octet() noexcept { return static_cast<std::uint8_t>(take(1)[0]); }
  std::uint64_t number() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const std::uint8_t digit = octet();
      value |= std::uint64_t{digit & 0x7fU} << shift;
      if (digit < 0x80) {
        return value;
      }
    }
  }
  // Borrowed from what is read.
  std::string_view text() noexcept { return take(number()); }
  IpAddress address(bool is_v4) noexcept {
    return IpAddress::from_octets(as_bytes(take(is_v4 ? 4 : 16)));
  }

 private:
  std::string_view take(std::size_t size) noexcept {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::string_view rest_;
};

// Texts of which each often begins like the one before, as the names of a Deployment's Pods do:
// how many octets are the same, then the others.
class FrontCodedWriter {
 public:
  void text(OctetWriter& to, std::string_view value) {
    const auto same = std::mismatch(value.begin(), value.end(), last_.begin(), last_.end()).first;
    const auto size = static_cast<std::size_t>(same - value.begin());
    to.number(size);
    to.text(value.substr(size));
    last_ = value;
  }

 private:
  std::string_view last_;
};

class FrontCodedReader {
 public:
  // Valid until the next call.
  std::string_view text(OctetReader& from) {
    last_.resize(from.number());
    last_ += from.text();
    return last_;
  }

 private:
  std::string last_;
};

}  // namespace waypost::cache
