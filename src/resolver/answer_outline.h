// What decides whether a response is worth having.
//
// Not here: which of its records answer the question (resolver/answer_content.h).

#pragma once

#include "dns/response.h"
#include "dns/types.h"

namespace waypost::resolver {

struct AnswerOutline {
  dns::Rcode rcode = dns::Rcode::NoError;  // EDNS' high bits included.
  bool is_truncated = false;
  bool has_edns = false;
  // A referral to other servers, or nothing at all from one that does not recurse.
  bool is_lame = false;

  static AnswerOutline of(const dns::Response& response) noexcept;
};

}  // namespace waypost::resolver
