// A question that is asked elsewhere: what an answer is kept under, and what questions that are
// asked at the same time are recognized as one by.

#pragma once

#include "dns/query.h"
#include "dns/types.h"

#include <cstddef>
#include <string>

namespace waypost::resolver {

// Of class IN, always.  A plain value of about 400 octets.
struct Question {
  dns::NameKey name;
  dns::RecordType type{};
  bool dnssec_ok = false;          // DO (RFC 3225): answers with and without signatures differ.
  bool checking_disabled = false;  // CD (RFC 4035, 3.2.2): what did not validate is wanted too.

  friend bool operator==(const Question& left, const Question& right) noexcept;

  // Such as "example.com. AAAA".
  std::string to_text() const;
};

struct QuestionHash {
  std::size_t operator()(const Question& question) const noexcept;
};

}  // namespace waypost::resolver
