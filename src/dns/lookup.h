// What the data that owns a name is asked, and what it says: the contract between the server and
// every kind of zone (records/ for the cluster, zones/ for static files).
//
// A zone's solve() writes answer records for one name and returns an Outcome.  It never sets an
// rcode: NXDOMAIN is a value here, and the server alone turns values into rcodes and authority
// records.

#pragma once

#include "dns/message_writer.h"
#include "dns/query.h"
#include "dns/types.h"

#include <cstdint>

namespace waypost::dns {

enum class Outcome : std::uint8_t {
  Hit,        // Answer records were written.
  NoData,     // The name exists, also as an empty non-terminal (RFC 8020), but has no such type.
  NoName,     // The name does not exist.
  Follow,     // A CNAME was written (perhaps behind a DNAME); `next` names its target.
  Referral,   // The name lies below a delegation; NS and glue were written to authority and
              // additional.
  Failed,     // The zone cannot say (not synced yet, a DNAME that makes the name too long).
  Truncated,  // Nothing of a needed record set fits; the answer is what was written, with TC.
};

// Uniform random numbers for rotation: xorshift64*, one per worker.  Not for secrets.
class Rotation {
 public:
  explicit Rotation(std::uint64_t seed) noexcept : state_(seed | 1) {}
  // A number in [0, bound), each as likely as the other; 0 for bound 0 or 1.
  std::uint32_t below(std::uint32_t bound) noexcept {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    const std::uint64_t word = (state_ * 0x2545f4914f6cdd1dULL) >> 32;
    return static_cast<std::uint32_t>((word * bound) >> 32);
  }

 private:
  std::uint64_t state_;
};

// One step of resolving a query.  All references are borrowed for the call.
struct Lookup {
  const NameKey& name;
  RecordType type;
  // Where `name` stands in the message, uncompressed from there on; 0 when it lies behind
  // MaxPointer.
  std::uint16_t owner = QuestionOffset;
  Rotation& rotation;

  // The owner of records at this name: a pointer where there can be one.
  NameParts owner_name() const noexcept { return suffix_name(0); }
  // The same for the name's labels from `index` on: an enclosing zone's apex, say.
  NameParts suffix_name(std::size_t index) const noexcept {
    const std::size_t at = owner + std::size_t{name.offset_of(index)};
    return owner != 0 && at <= MaxPointer ? NameParts::at(static_cast<std::uint16_t>(at))
                                          : NameParts::whole(name.suffix(index));
  }
};

// The target of a CNAME that was just written.
struct Target {
  NameKey name;
  std::uint16_t owner = 0;  // As in Lookup.
};

}  // namespace waypost::dns
