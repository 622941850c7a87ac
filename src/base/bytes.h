// Big-endian loads and stores, and ASCII case, for code that reads and writes wire formats.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace waypost {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

// The loads and stores touch exactly 2, 4 or 8 octets; the caller has checked that they are there.
inline std::uint16_t load_u16(const std::uint8_t* from) noexcept {
  return static_cast<std::uint16_t>((from[0] << 8) | from[1]);
}
inline std::uint32_t load_u32(const std::uint8_t* from) noexcept {
  return (std::uint32_t{from[0]} << 24) | (std::uint32_t{from[1]} << 16) |
         (std::uint32_t{from[2]} << 8) | std::uint32_t{from[3]};
}
inline void store_u16(std::uint8_t* to, std::uint16_t value) noexcept {
  to[0] = static_cast<std::uint8_t>(value >> 8);
  to[1] = static_cast<std::uint8_t>(value & 0xff);
}
inline void store_u32(std::uint8_t* to, std::uint32_t value) noexcept {
  to[0] = static_cast<std::uint8_t>(value >> 24);
  to[1] = static_cast<std::uint8_t>((value >> 16) & 0xff);
  to[2] = static_cast<std::uint8_t>((value >> 8) & 0xff);
  to[3] = static_cast<std::uint8_t>(value & 0xff);
}

// DNS compares names in ASCII, whatever the locale (RFC 4343, 3).
constexpr std::uint8_t ascii_lower(std::uint8_t c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c + ('a' - 'A')) : c;
}

inline Bytes as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace waypost
