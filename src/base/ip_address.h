// IP addresses, prefixes and socket addresses as values.
//
// Both families live in one 16-octet form; IPv4 is held IPv4-mapped (RFC 4291, 2.5.5.2), so that
// comparison, hashing and storage need no case distinction.  A true IPv4-mapped IPv6 text is read
// as IPv4.

#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace waypost {

class IpAddress {
 public:
  // The unspecified IPv6 address, ::.
  constexpr IpAddress() noexcept = default;

  static constexpr IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c,
                                std::uint8_t d) noexcept {
    IpAddress address;
    address.octets_ = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
    return address;
  }
  // `octets` holds 4 or 16 octets in network order.
  static IpAddress from_octets(Bytes octets) noexcept;

  // Reads dotted-quad IPv4 without leading zeros, or any RFC 4291 text form; no zone index, no
  // port.
  static std::optional<IpAddress> from_text(std::string_view text) noexcept;

  // Dotted quad, or RFC 5952 form.
  std::string to_text() const;

  constexpr bool is_v4() const noexcept {
    // In two words, because each query asks.
    const auto parts = std::bit_cast<std::array<std::uint32_t, 4>>(octets_);
    constexpr auto Mark =
        std::bit_cast<std::uint32_t>(std::array<std::uint8_t, 4>{0, 0, 0xff, 0xff});
    return (parts[0] | parts[1] | (parts[2] ^ Mark)) == 0;
  }
  bool is_loopback() const noexcept;
  bool is_unspecified() const noexcept;

  // The address in network order: 4 octets for IPv4, 16 for IPv6.  Valid as long as this object.
  Bytes octets() const noexcept { return is_v4() ? Bytes(octets_).subspan(12) : Bytes(octets_); }
  // All 16 octets, IPv4 mapped.
  const std::array<std::uint8_t, 16>& mapped() const noexcept { return octets_; }

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<std::uint8_t, 16> octets_{};
};

struct IpAddressHash {
  std::size_t operator()(const IpAddress& address) const noexcept;
};

// A CIDR prefix.  Host bits are zero.
class IpPrefix {
 public:
  // Reads "10.0.0.0/8" or a bare address (then the prefix covers just it).  Host bits must be zero.
  static Result<IpPrefix> from_text(std::string_view text);
  // The prefix of that length that holds `address`.  A length above the family's is its longest.
  static IpPrefix around(const IpAddress& address, unsigned length) noexcept;

  bool contains(const IpAddress& address) const noexcept;
  const IpAddress& base() const noexcept { return base_; }
  // In bits of the address's own family: 0..32 or 0..128.
  unsigned length() const noexcept { return length_; }
  std::string to_text() const;

  friend bool operator==(const IpPrefix&, const IpPrefix&) = default;

 private:
  IpAddress base_;
  unsigned length_ = 0;
};

// An address and a port, as in "127.0.0.1:53" and "[::1]:53".
struct SocketAddress {
  IpAddress address;
  std::uint16_t port = 0;

  // Port 0 is accepted: the kernel then chooses.
  static Result<SocketAddress> from_text(std::string_view text);
  std::string to_text() const;

  friend bool operator==(const SocketAddress&, const SocketAddress&) = default;
};

}  // namespace waypost
