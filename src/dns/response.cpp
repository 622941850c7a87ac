#include "dns/response.h"

#include "dns/packet_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace waypost::dns {

namespace {

using detail::Broken;
using detail::Offset;
using detail::RecordBody;

constexpr std::uint16_t ExtendedErrorOption = 15;  // RFC 8914
constexpr std::size_t AddressSize4 = 4;
constexpr std::size_t AddressSize6 = 16;

// Where names that may be compressed stand in rdata: behind `head` octets and `strings`
// <character-string>s, and in front of `tail` octets, or of any number.
struct Layout {
  static constexpr std::uint8_t Any = 255;

  std::uint8_t head = 0;
  std::uint8_t strings = 0;
  std::uint8_t names = 0;
  std::uint8_t tail = 0;
};

// The types of RFC 1035 and those that RFC 3597, 4 says to decompress.  Whatever else there is has
// no names, or has them uncompressed.
constexpr Layout layout_of(std::uint16_t type) noexcept {
  switch (type) {
    case 2:   // NS
    case 3:   // MD
    case 4:   // MF
    case 5:   // CNAME
    case 7:   // MB
    case 8:   // MG
    case 9:   // MR
    case 12:  // PTR
    case 39:  // DNAME
      return {.names = 1};
    case 6:  // SOA
      return {.names = 2, .tail = 20};
    case 14:  // MINFO
    case 17:  // RP
      return {.names = 2};
    case 15:  // MX
    case 18:  // AFSDB
    case 21:  // RT
    case 36:  // KX
      return {.head = 2, .names = 1};
    case 26:  // PX
      return {.head = 2, .names = 2};
    case 33:  // SRV
      return {.head = 6, .names = 1};
    case 35:  // NAPTR
      return {.head = 4, .strings = 3, .names = 1};
    case 24:  // SIG
      return {.head = 18, .names = 1, .tail = Layout::Any};
    case 30:  // NXT
      return {.names = 1, .tail = Layout::Any};
    default:
      return {};
  }
}

// Finds the names in the rdata that ends at `until_end`'s end.  False when it is not as its type
// says.
bool find_names(Bytes until_end, ResponseRecord& record) noexcept {
  const Layout layout = layout_of(std::to_underlying(record.type));
  if (layout.names == 0) {
    return true;
  }
  Offset at = record.rdata_at + std::size_t{layout.head};
  for (std::uint8_t i = 0; i < layout.strings; ++i) {
    if (at >= until_end.size()) {
      return false;
    }
    at += 1U + until_end[at];
  }
  record.names_at = static_cast<std::uint16_t>(at);
  record.name_count = layout.names;
  for (std::uint8_t i = 0; i < layout.names; ++i) {
    at = detail::skip_name(until_end, at);
    if (at == Broken) {
      return false;
    }
  }
  return layout.tail == Layout::Any || until_end.size() - at == layout.tail;
}

// Clients take an address for one by its type alone.
bool has_right_size(const ResponseRecord& record) noexcept {
  if (record.record_class != RecordClass::IN) {
    return true;
  }
  return record.type == RecordType::A      ? record.rdata_size == AddressSize4
         : record.type == RecordType::AAAA ? record.rdata_size == AddressSize6
                                           : true;
}

bool read_reason(Bytes value, Response& out) noexcept {
  if (value.size() < 2) {
    return false;
  }
  if (out.reason_count < Response::MaxReasons) {
    out.reasons[out.reason_count++] = {static_cast<ExtendedError>(load_u16(value.data())),
                                       value.subspan(2)};
  }
  return true;
}

bool read_options(Bytes rdata, Response& out) noexcept {
  while (!rdata.empty()) {
    if (rdata.size() < 4) {
      return false;
    }
    const std::uint16_t code = load_u16(rdata.data());
    const std::size_t size = load_u16(rdata.data() + 2);
    if (rdata.size() - 4 < size ||
        (code == ExtendedErrorOption && !read_reason(rdata.subspan(4, size), out))) {
      return false;
    }
    rdata = rdata.subspan(4 + size);
  }
  return true;
}

bool read_opt(Bytes packet, const RecordBody& body, Response& out) noexcept {
  if (out.has_edns) {
    return false;
  }
  out.has_edns = true;
  out.udp_size = body.record_class;
  out.edns_version = static_cast<std::uint8_t>((body.ttl >> 16) & 0xff);
  out.dnssec_ok = (body.ttl & 0x8000) != 0;
  out.rcode = static_cast<Rcode>(((body.ttl >> 24) << 4) | std::to_underlying(out.rcode));
  return read_options(packet.subspan(body.rdata_at, body.rdata_size), out);
}

// Reads sections one behind the other.
class RecordReader {
 public:
  RecordReader(Bytes packet, Offset at, Response& out) noexcept
      : packet_(packet), at_(at), out_(out) {}

  // Reads `count` records; `kept` is how many of them there are without OPT.
  std::expected<void, WireError> read_section(std::uint16_t count, bool may_have_opt,
                                              std::uint16_t& kept) noexcept {
    for (std::uint16_t i = 0; i < count; ++i) {
      const Offset owner = at_;
      const Offset owner_end = detail::skip_name(packet_, owner);
      RecordBody body;
      if (owner_end == Broken || !detail::read_body(packet_, owner_end, body)) {
        return std::unexpected(WireError::BadRecord);
      }
      at_ = body.end();
      if (body.type == RecordType::OPT) {
        if (!may_have_opt || packet_[owner] != 0 || !read_opt(packet_, body, out_)) {
          return std::unexpected(WireError::BadOpt);
        }
        continue;
      }
      if (count_ == Response::MaxRecords) {
        return std::unexpected(WireError::TooManyRecords);
      }
      if (!keep(owner, body)) {
        return std::unexpected(WireError::BadRecord);
      }
      ++kept;
    }
    return {};
  }

  Offset end() const noexcept { return at_; }

 private:
  bool keep(Offset owner, const RecordBody& body) noexcept {
    ResponseRecord& record = out_.records[count_++];
    record = {.type = body.type,
              .record_class = static_cast<RecordClass>(body.record_class),
              .ttl = (body.ttl & 0x80000000U) != 0 ? 0 : body.ttl,
              .owner = static_cast<std::uint16_t>(owner),
              .rdata_at = static_cast<std::uint16_t>(body.rdata_at),
              .rdata_size = static_cast<std::uint16_t>(body.rdata_size)};
    return has_right_size(record) && find_names(packet_.first(body.end()), record);
  }

  Bytes packet_;
  Offset at_;
  Response& out_;
  std::size_t count_ = 0;
};

void read_header(const std::uint8_t* header, Response& out) noexcept {
  out.id = load_u16(header);
  out.opcode = static_cast<Opcode>((header[2] >> 3) & 0xf);
  out.authoritative = (header[2] & 0x04) != 0;
  out.truncated = (header[2] & 0x02) != 0;
  out.recursion_desired = (header[2] & 0x01) != 0;
  out.recursion_available = (header[3] & 0x80) != 0;
  out.authentic_data = (header[3] & 0x20) != 0;
  out.checking_disabled = (header[3] & 0x10) != 0;
  out.rcode = static_cast<Rcode>(header[3] & 0xf);
  out.question = {};
  out.has_edns = false;
  out.edns_version = 0;
  out.udp_size = 0;
  out.dnssec_ok = false;
  out.reason_count = 0;
  out.answers = out.authorities = out.additionals = 0;
}

}  // namespace

std::expected<void, WireError> read_response(Bytes packet, Response& out) noexcept {
  if (packet.size() < HeaderSize) {
    return std::unexpected(WireError::TooShort);
  }
  const std::uint8_t* header = packet.data();
  read_header(header, out);
  if ((header[2] & 0x80) == 0) {
    return std::unexpected(WireError::NotAResponse);
  }
  const std::uint16_t questions = load_u16(header + 4);
  const Offset question_end = questions == 0   ? HeaderSize
                              : questions == 1 ? detail::read_question(packet, out)
                                               : Broken;
  if (question_end == Broken) {
    return std::unexpected(WireError::BadQuestion);
  }
  if (out.truncated) {
    return {};
  }
  RecordReader reader(packet, question_end, out);
  auto read = reader.read_section(load_u16(header + 6), false, out.answers);
  if (read) {
    read = reader.read_section(load_u16(header + 8), false, out.authorities);
  }
  if (read) {
    read = reader.read_section(load_u16(header + 10), true, out.additionals);
  }
  if (read && reader.end() != packet.size()) {
    return std::unexpected(WireError::OctetsBehind);
  }
  return read;
}

std::size_t expand_name(Bytes packet, std::size_t at,
                        std::span<std::uint8_t, MaxNameSize> to) noexcept {
  std::size_t size = 0;
  for (;;) {
    const std::size_t length = packet[at];
    if (length > MaxLabelSize) {
      at = detail::pointer_target(packet, at);
      continue;
    }
    std::memcpy(to.data() + size, packet.data() + at, 1 + length);
    size += 1 + length;
    at += 1 + length;
    if (length == 0) {
      return size;
    }
  }
}

std::size_t name_end(Bytes packet, std::size_t at) noexcept {
  for (;; at += 1U + packet[at]) {
    if (packet[at] == 0) {
      return at + 1;
    }
    if (packet[at] > MaxLabelSize) {
      return at + 2;
    }
  }
}

std::optional<std::size_t> expand_rdata(Bytes packet, const ResponseRecord& record,
                                        MutableBytes to) noexcept {
  std::size_t size = 0;
  const auto append = [&](Bytes octets) {
    if (to.size() - size < octets.size()) {
      return false;
    }
    std::copy(octets.begin(), octets.end(), to.begin() + static_cast<std::ptrdiff_t>(size));
    size += octets.size();
    return true;
  };
  const std::size_t end = std::size_t{record.rdata_at} + record.rdata_size;
  std::size_t at = record.name_count == 0 ? end : record.names_at;
  bool fits = append(packet.subspan(record.rdata_at, at - record.rdata_at));
  std::array<std::uint8_t, MaxNameSize> name;
  for (std::uint8_t i = 0; i < record.name_count && fits; ++i) {
    fits = append(Bytes(name).first(expand_name(packet, at, name)));
    at = name_end(packet, at);
  }
  if (!fits || !append(packet.subspan(at, end - at))) {
    return std::nullopt;
  }
  return size;
}

}  // namespace waypost::dns
