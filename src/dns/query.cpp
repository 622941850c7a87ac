#include "dns/query.h"

#include "dns/name_hash.h"
#include "dns/packet_reader.h"

#include <cstring>

namespace waypost::dns {

namespace {

// Numbers of the EDNS options that are read here (IANA "DNS EDNS0 Option Codes").
constexpr std::uint16_t NsidOption = 3;     // RFC 5001
constexpr std::uint16_t CookieOption = 10;  // RFC 7873

constexpr std::size_t SoaTimesSize = 20;  // What stands in a SOA behind its names.

using detail::Broken;
using detail::find_labels;
using detail::Offset;
using detail::read_body;
using detail::read_question;
using detail::RecordBody;
using detail::skip_name;

// The SOA in an IXFR query's authority section (RFC 1995, 3): only its serial matters.
Offset read_ixfr_soa(Bytes packet, Offset at, Query& query) noexcept {
  const Offset owner_end = skip_name(packet, at);
  RecordBody body;
  if (owner_end == Broken || !read_body(packet, owner_end, body) || body.type != RecordType::SOA) {
    return Broken;
  }
  const Bytes until_end = packet.first(body.end());
  const Offset mname_end = skip_name(until_end, body.rdata_at);
  const Offset rname_end = mname_end == Broken ? Broken : skip_name(until_end, mname_end);
  if (rname_end == Broken || body.end() - rname_end != SoaTimesSize) {
    return Broken;
  }
  query.has_ixfr_serial = true;
  query.ixfr_serial = load_u32(packet.data() + rname_end);
  return body.end();
}

// RFC 7873, 5.2: other sizes are FORMERR, and of several cookies only the first counts.
bool read_cookie(Bytes value, Edns& edns) noexcept {
  if (edns.has_cookie) {
    return true;
  }
  const std::size_t client_size = edns.client_cookie.size();
  if (value.size() != client_size && (value.size() < 16 || value.size() > 40)) {
    return false;
  }
  edns.has_cookie = true;
  edns.server_cookie_size = static_cast<std::uint8_t>(value.size() - client_size);
  std::memcpy(edns.client_cookie.data(), value.data(), client_size);
  std::memcpy(edns.server_cookie.data(), value.data() + client_size, edns.server_cookie_size);
  return true;
}

// Options that are not known are passed over (RFC 6891, 6.1.2).
bool read_options(Bytes rdata, Edns& edns) noexcept {
  while (!rdata.empty()) {
    if (rdata.size() < 4) {
      return false;
    }
    const std::uint16_t code = load_u16(rdata.data());
    const std::size_t size = load_u16(rdata.data() + 2);
    if (rdata.size() - 4 < size) {
      return false;
    }
    if (code == NsidOption) {
      edns.nsid_requested = true;  // Content, if any, is ignored (RFC 5001, 2.2).
    } else if (code == CookieOption && !read_cookie(rdata.subspan(4, size), edns)) {
      return false;
    }
    rdata = rdata.subspan(4 + size);
  }
  return true;
}

// The options of a version that is not known are not looked at.
bool read_opt(Bytes packet, const RecordBody& body, Edns& edns) noexcept {
  if (edns.present) {
    return false;
  }
  edns.present = true;
  edns.udp_size = body.record_class;
  edns.version = static_cast<std::uint8_t>((body.ttl >> 16) & 0xff);
  edns.dnssec_ok = (body.ttl & 0x8000) != 0;
  return edns.version != 0 || read_options(packet.subspan(body.rdata_at, body.rdata_size), edns);
}

// One additional record.  OPT is read; whatever else comes, TSIG say, is passed over unread.
Offset read_additional(Bytes packet, Offset at, Query& query) noexcept {
  const bool at_root = at < packet.size() && packet[at] == 0;
  const Offset owner_end = at_root ? at + 1 : skip_name(packet, at);
  RecordBody body;
  if (owner_end == Broken || !read_body(packet, owner_end, body)) {
    return Broken;
  }
  if (body.type == RecordType::OPT && (!at_root || !read_opt(packet, body, query.edns))) {
    return Broken;
  }
  return body.end();
}

// All of them; nothing may follow.  Inline, for nearly all queries have one or none.
[[gnu::always_inline]] inline bool read_additionals(Bytes packet, Offset at, std::uint16_t count,
                                                    Query& query) noexcept {
  for (std::uint16_t i = 0; i < count && at != Broken; ++i) {
    at = read_additional(packet, at, query);
  }
  return at == packet.size();
}

// Whether a message without questions, answers and authorities asks for a cookie (RFC 7873, 5.4).
// Not inline: read_query() keeps its registers for messages with a question.
[[gnu::noinline]] bool asks_for_cookie(Bytes packet, std::uint16_t additionals,
                                       Query& query) noexcept {
  return read_additionals(packet, HeaderSize, additionals, query) && query.edns.has_cookie;
}

}  // namespace

void NameKey::assign(Bytes wire) noexcept {
  find_labels(wire.data(), wire.size(), *this);
  hash = detail::lower_and_hash(wire.data(), wire.size(), octets.data());
}

bool NameKey::is_within(Bytes ancestor, std::size_t ancestor_labels) const noexcept {
  if (ancestor_labels > label_count) {
    return false;
  }
  const Bytes below = suffix(label_count - ancestor_labels);
  return below.size() == ancestor.size() &&
         std::memcmp(below.data(), ancestor.data(), below.size()) == 0;
}

ReadVerdict read_query(Bytes packet, Query& query) noexcept {
  if (packet.size() < HeaderSize || (packet[2] & 0x80) != 0) {
    return ReadVerdict::Drop;
  }
  const std::uint8_t* header = packet.data();
  query.id = load_u16(header);
  query.opcode = static_cast<Opcode>((header[2] >> 3) & 0xf);
  query.recursion_desired = (header[2] & 0x01) != 0;
  query.authentic_data = (header[3] & 0x20) != 0;
  query.checking_disabled = (header[3] & 0x10) != 0;
  query.question = {};
  query.edns = {};
  query.has_ixfr_serial = false;
  query.ixfr_serial = 0;
  if (query.opcode != Opcode::Query) {
    return ReadVerdict::NotImp;
  }
  const std::uint16_t questions = load_u16(header + 4);
  const std::uint16_t answers = load_u16(header + 6);
  const std::uint16_t authorities = load_u16(header + 8);
  const std::uint16_t additionals = load_u16(header + 10);

  if (questions != 1) {
    const bool may_ask = questions == 0 && answers == 0 && authorities == 0 && additionals <= 2;
    return may_ask && asks_for_cookie(packet, additionals, query) ? ReadVerdict::CookieOnly
                                                                  : ReadVerdict::FormErr;
  }
  Offset at = read_question(packet, query);
  const std::uint16_t most_authorities = query.type == RecordType::IXFR ? 1 : 0;
  if (at == Broken || answers != 0 || authorities > most_authorities || additionals > 2) {
    return ReadVerdict::FormErr;
  }
  if (authorities == 1) {
    at = read_ixfr_soa(packet, at, query);
  }
  if (!read_additionals(packet, at, additionals, query)) {
    return ReadVerdict::FormErr;
  }
  return query.edns.version != 0 ? ReadVerdict::BadVersion : ReadVerdict::Answer;
}

}  // namespace waypost::dns
