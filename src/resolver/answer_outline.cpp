#include "resolver/answer_outline.h"

#include <array>
#include <cstddef>
#include <utility>

namespace waypost::resolver {
namespace {

constexpr std::size_t RecordHead = 10;  // Type, class, TTL and size of the rdata.

// Moves `at` behind the name there; false when it is none.  Where pointers lead does not matter
// here.
bool skip_name(Bytes message, std::size_t& at) noexcept {
  const std::size_t limit = at + dns::MaxNameSize;
  while (at < message.size() && at < limit) {
    const std::uint8_t octet = message[at];
    if ((octet & 0xc0) == 0xc0) {
      at += 2;
      return at <= message.size();
    }
    if ((octet & 0xc0) != 0) {
      return false;
    }
    at += 1U + octet;
    if (octet == 0) {
      return true;
    }
  }
  return false;
}

struct Seen {
  bool soa = false;
  bool ns = false;
  bool opt = false;
  std::uint32_t opt_ttl = 0;
};

bool skip_record(Bytes message, std::size_t& at, std::size_t section, Seen& seen) noexcept {
  if (!skip_name(message, at) || message.size() - at < RecordHead) {
    return false;
  }
  const std::uint8_t* const head = message.data() + at;
  const auto type = static_cast<dns::RecordType>(load_u16(head));
  const std::size_t rdata_size = load_u16(head + 8);
  at += RecordHead;
  if (message.size() - at < rdata_size) {
    return false;
  }
  at += rdata_size;
  seen.soa = seen.soa || (section == 1 && type == dns::RecordType::SOA);
  seen.ns = seen.ns || (section == 1 && type == dns::RecordType::NS);
  if (section == 2 && type == dns::RecordType::OPT) {
    seen.opt = true;
    seen.opt_ttl = load_u32(head + 4);
  }
  return true;
}

}  // namespace

std::optional<AnswerOutline> AnswerOutline::read(Bytes message) noexcept {
  AnswerOutline outline;
  const std::uint8_t* const header = message.data();
  outline.rcode = static_cast<dns::Rcode>(header[3] & 0x0f);
  outline.is_truncated = (header[2] & 0x02) != 0;
  if (outline.is_truncated) {
    return outline;
  }
  std::size_t at = dns::HeaderSize;
  if (!skip_name(message, at) || message.size() - at < 4) {
    return std::nullopt;
  }
  at += 4;
  Seen seen;
  std::array<std::size_t, 3> counts{};
  for (std::size_t section = 0; section < counts.size(); ++section) {
    counts[section] = load_u16(header + 6 + 2 * section);
    for (std::size_t i = 0; i < counts[section]; ++i) {
      if (!skip_record(message, at, section, seen)) {
        return std::nullopt;
      }
    }
  }
  if (at != message.size()) {
    return std::nullopt;
  }
  outline.has_edns = seen.opt;
  outline.rcode =
      static_cast<dns::Rcode>(std::to_underlying(outline.rcode) | ((seen.opt_ttl >> 20) & 0xff0));
  const bool is_authoritative = (header[2] & 0x04) != 0;
  const bool recurses = (header[3] & 0x80) != 0;
  // NODATA comes with a SOA (RFC 2308, 2.2), or with nothing from servers that recurse.
  outline.is_lame = outline.rcode == dns::Rcode::NoError && counts[0] == 0 && !is_authoritative &&
                    !seen.soa && (seen.ns || !recurses);
  return outline;
}

}  // namespace waypost::resolver
