// Walking the names and records of a packet that nobody has checked.  Inside this room only:
// dns/query.h and dns/response.h offer what was read.
//
// Every function stays within the packet and ends: labels are bounded by the size of a name,
// compression pointers lead backward only and are bounded in number.

#pragma once

#include "base/bytes.h"
#include "dns/name_hash.h"
#include "dns/query.h"
#include "dns/types.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace waypost::dns::detail {

inline constexpr std::size_t FixedRecordSize =
    10;  // Type, class, TTL and RDLENGTH (RFC 1035, 4.1.3)

// A place in the packet.  0 is no place: no name and no record can end there.
using Offset = std::size_t;
inline constexpr Offset Broken = 0;

// Where the pointer at `at` leads, whose two octets lie within the packet.
inline Offset pointer_target(Bytes packet, Offset at) noexcept {
  return load_u16(packet.data() + at) & 0x3fffU;
}

// Notes where the labels of the name at `wire` begin.  Returns its size, root included; 0 when it
// does not end within `available` octets and 255, or has a length octet that is none.
inline std::size_t find_labels(const std::uint8_t* wire, std::size_t available,
                               NameKey& name) noexcept {
  const std::size_t end = std::min(available, MaxNameSize);
  std::size_t at = 0;
  std::size_t count = 0;
  while (at < end) {
    const std::uint8_t length = wire[at];
    if (length == 0) {
      name.label_count = static_cast<std::uint8_t>(count);
      name.size = static_cast<std::uint16_t>(at + 1);
      return at + 1;
    }
    if (length > MaxLabelSize) {
      return 0;
    }
    name.label_offsets[count++] = static_cast<std::uint8_t>(at);
    at += 1U + length;
  }
  return 0;
}

// The question of a message that has a header: one name, uncompressed as there is nothing before
// it, type and class.  `Message` is Query or Response.  Returns where it ends, or Broken.
template <typename Message>
Offset read_question(Bytes packet, Message& out) noexcept {
  const std::uint8_t* start = packet.data() + HeaderSize;
  const std::size_t available = packet.size() - HeaderSize;
  const std::size_t size = find_labels(start, available, out.name);
  if (size == 0 || available - size < 4) {
    return Broken;
  }
  out.name.hash = lower_and_hash(start, size, out.name.octets.data());
  out.type = static_cast<RecordType>(load_u16(start + size));
  out.record_class = static_cast<RecordClass>(load_u16(start + size + 2));
  out.question = packet.subspan(HeaderSize, size + 4);
  return HeaderSize + size + 4;
}

// Returns where the name that begins at `start` ends, or Broken.  Follows compression only to check
// it: each pointer leads to before the place that the last one led to, and no name has more
// pointers than labels and one.
Offset skip_name(Bytes packet, Offset start) noexcept;

// The fixed part and rdata of a record whose owner has been passed.
struct RecordBody {
  RecordType type{};
  std::uint16_t record_class = 0;
  std::uint32_t ttl = 0;
  Offset rdata_at = 0;
  std::size_t rdata_size = 0;

  Offset end() const noexcept { return rdata_at + rdata_size; }
};

// False when the record does not lie within the packet; `at` does.
bool read_body(Bytes packet, Offset at, RecordBody& body) noexcept;

}  // namespace waypost::dns::detail
