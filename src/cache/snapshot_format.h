// The numbers of the snapshot format that writer and reader share (docs/snapshot-format.md).

#pragma once

#include "base/bytes.h"
#include "base/checksum.h"
#include "cache/snapshot.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace waypost::cache::snapshot_format {

// As in PNG: the first octet is no ASCII, and transports that touch line ends are noticed.
inline constexpr std::string_view Magic = "\x89WPS\r\n\x1a\n";
inline constexpr std::uint32_t MajorVersion = 1;
inline constexpr std::uint32_t MinorVersion = 0;

// Where the fields of the prelude begin.  Numbers are big-endian.
inline constexpr std::size_t MajorOffset = 8;
inline constexpr std::size_t MinorOffset = 12;
inline constexpr std::size_t SizeOffset = 16;
inline constexpr std::size_t ChecksumOffset = 24;

// The first octet of a record.
inline constexpr std::uint8_t OriginKind = 1;
inline constexpr std::uint8_t NamespaceKind = 2;
inline constexpr std::uint8_t ServiceKind = 3;
inline constexpr std::uint8_t EndpointSliceKind = 4;
inline constexpr std::uint8_t PodKind = 5;
inline constexpr std::uint8_t NodeKind = 6;

// What no object in the file has, as bits, and back.
inline std::uint8_t lacking(const Kept& kept) noexcept {
  return static_cast<std::uint8_t>((kept.labels ? 0U : 1U) | (kept.selectors ? 0U : 2U) |
                                   (kept.pod_names ? 0U : 4U));
}
inline Kept kept(std::uint8_t lacking) noexcept {
  return {.labels = (lacking & 1U) == 0,
          .selectors = (lacking & 2U) == 0,
          .pod_names = (lacking & 4U) == 0};
}

inline std::uint64_t load_u64(const std::uint8_t* from) noexcept {
  return (std::uint64_t{load_u32(from)} << 32U) | load_u32(from + 4);
}
inline void store_u64(std::uint8_t* to, std::uint64_t value) noexcept {
  store_u32(to, static_cast<std::uint32_t>(value >> 32U));
  store_u32(to + 4, static_cast<std::uint32_t>(value));
}

// The checksum over a whole file: over what `prelude` holds in front of it, and over `body`, the
// checksum of all octets behind the prelude.
inline std::uint64_t checksum(const SnapshotPrelude& prelude, std::uint64_t body) {
  std::array<std::uint8_t, 8> octets{};
  store_u64(octets.data(), body);
  Checksum sum;
  sum.add(Bytes(prelude).first(ChecksumOffset));
  sum.add(octets);
  return sum.value();
}

}  // namespace waypost::cache::snapshot_format
