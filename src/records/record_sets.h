// Record sets written straight from prepared parts, rotated, and cut where the message ends.
//
// Private to the room.  A set starts at a random record and goes around, so that every record is as
// likely to be first, and as likely to be among those that fit, as any other.

#pragma once

#include "dns/lookup.h"

#include <cstdint>

namespace waypost::records {

// What became of a set of which `written` records fit.
inline dns::Outcome finish_set(std::size_t written, bool complete,
                               dns::MessageWriter& out) noexcept {
  if (complete) {
    return written == 0 ? dns::Outcome::NoData : dns::Outcome::Hit;
  }
  out.set_truncated(true);
  return written == 0 ? dns::Outcome::Truncated : dns::Outcome::Hit;
}

// Calls write(i) for every i below `count`, starting anywhere, until one returns false.
template <typename Write>
dns::Outcome write_rotated(std::size_t count, const dns::Lookup& lookup, dns::MessageWriter& out,
                           Write&& write) noexcept {
  const std::size_t start = lookup.rotation.below(static_cast<std::uint32_t>(count));
  for (std::size_t n = 0; n < count; ++n) {
    const std::size_t i = start + n < count ? start + n : start + n - count;
    if (!write(i)) {
      return finish_set(n, false, out);
    }
  }
  return finish_set(count, true, out);
}

// A or AAAA records from packed addresses of `size` octets each.
inline dns::Outcome write_addresses(Bytes packed, std::size_t size, std::uint32_t ttl,
                                    const dns::Lookup& lookup, dns::MessageWriter& out) noexcept {
  const dns::NameParts owner = lookup.owner_name();
  return write_rotated(packed.size() / size, lookup, out, [&](std::size_t i) noexcept {
    return out.add_address(dns::Section::Answer, owner, ttl, packed.subspan(i * size, size));
  });
}

// Addresses for the additional section.  What does not fit is left out: the client can ask (RFC
// 2181, 9).
inline void add_glue(const dns::NameParts& owner, std::uint32_t ttl, Bytes v4, Bytes v6,
                     dns::MessageWriter& out) noexcept {
  for (std::size_t at = 0; at < v4.size(); at += 4) {
    if (!out.add_address(dns::Section::Additional, owner, ttl, v4.subspan(at, 4))) {
      return;
    }
  }
  for (std::size_t at = 0; at < v6.size(); at += 16) {
    if (!out.add_address(dns::Section::Additional, owner, ttl, v6.subspan(at, 16))) {
      return;
    }
  }
}

}  // namespace waypost::records
