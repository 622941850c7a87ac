#include "dns/packet_reader.h"

namespace waypost::dns::detail {

Offset skip_name(Bytes packet, Offset start) noexcept {
  Offset end = Broken;
  Offset at = start;
  Offset earliest = start;
  std::size_t size = 0;
  std::size_t pointers = 0;
  while (at < packet.size()) {
    const std::uint8_t length = packet[at];
    if (length > MaxLabelSize) {
      if (length < 0xc0 || at + 2 > packet.size() || ++pointers > MaxLabels + 1) {
        return Broken;
      }
      const Offset target = pointer_target(packet, at);
      if (target >= earliest || target < HeaderSize) {
        return Broken;
      }
      end = end == Broken ? at + 2 : end;
      earliest = at = target;
      continue;
    }
    size += 1U + length;
    at += 1U + length;
    if (size > MaxNameSize) {
      return Broken;
    }
    if (length == 0) {
      return end == Broken ? at : end;
    }
  }
  return Broken;
}

bool read_body(Bytes packet, Offset at, RecordBody& body) noexcept {
  if (packet.size() - at < FixedRecordSize) {
    return false;
  }
  const std::uint8_t* fixed = packet.data() + at;
  body.type = static_cast<RecordType>(load_u16(fixed));
  body.record_class = load_u16(fixed + 2);
  body.ttl = load_u32(fixed + 4);
  body.rdata_size = load_u16(fixed + 8);
  body.rdata_at = at + FixedRecordSize;
  return packet.size() - body.rdata_at >= body.rdata_size;
}

}  // namespace waypost::dns::detail
