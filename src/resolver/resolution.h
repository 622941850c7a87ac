// What became of a question that was asked elsewhere.

#pragma once

#include "dns/types.h"
#include "resolver/answer_cache.h"

#include <optional>
#include <string_view>

namespace waypost::resolver {

struct Question;

// Everything is borrowed, and good for the call that hands it over.
struct Resolution {
  const Question& question;
  const CachedAnswer* answer = nullptr;  // Absent: there is none, and `rcode` is the answer.
  TtlMode ttl = TtlMode::CountDown;
  dns::Rcode rcode = dns::Rcode::ServFail;
  // What is told with either (RFC 8914).
  std::optional<dns::ExtendedError> reason;
  std::string_view text;
};

}  // namespace waypost::resolver
