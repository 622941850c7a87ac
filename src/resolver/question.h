// A question that is asked elsewhere: what an answer is kept under, and what questions that are
// asked at the same time are recognized as one by.

#pragma once

#include "base/bytes.h"
#include "base/timer.h"
#include "dns/query.h"
#include "dns/types.h"

#include <cstddef>
#include <string>

namespace waypost::resolver {

// What an answer is kept under, without a copy of the name.
struct CacheKey {
  const dns::NameKey& name;
  dns::RecordType type;
  bool dnssec_ok;          // DO (RFC 3225): answers with and without signatures differ.
  bool checking_disabled;  // CD (RFC 4035, 3.2.2): what did not validate is wanted too.

  friend bool operator==(const CacheKey& left, const CacheKey& right) noexcept;
};

// Of class IN, always.  A plain value of about 400 octets.
struct Question {
  dns::NameKey name;
  dns::RecordType type{};
  bool dnssec_ok = false;
  bool checking_disabled = false;

  // A view of this.
  CacheKey key() const noexcept { return {name, type, dnssec_ok, checking_disabled}; }

  friend bool operator==(const Question& left, const Question& right) noexcept {
    return left.key() == right.key();
  }

  // Such as "example.com. AAAA".
  std::string to_text() const;
};

// Whether `name` is `zone` or below it; both in lower case and wire form.
bool is_within(Bytes name, Bytes zone) noexcept;

struct QuestionHash {
  std::size_t operator()(const Question& question) const noexcept;
};

// How long an answer is tried for.
struct Effort {
  SteadyTime deadline;
  // Whether upstreams are asked again that could not be reached or timed out.  Otherwise the
  // question fails as soon as all of them have.
  bool repeats = true;
};

}  // namespace waypost::resolver
