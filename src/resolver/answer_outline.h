// What decides whether an answer is worth having, without its records.
//
// Not here: the records (dns/response.h), which only whoever keeps the answer reads.

#pragma once

#include "base/bytes.h"
#include "dns/types.h"

#include <cstdint>
#include <optional>

namespace waypost::resolver {

struct AnswerOutline {
  dns::Rcode rcode = dns::Rcode::NoError;  // EDNS' high bits included.
  bool is_truncated = false;
  bool has_edns = false;
  // A referral to other servers, or nothing at all from one that does not recurse.
  bool is_lame = false;

  // Reads a response whose header and question were matched already.  Of a truncated one only the
  // header counts (RFC 2181, 9).  Nothing when records do not lie within it, or octets follow them.
  static std::optional<AnswerOutline> read(Bytes message) noexcept;
};

}  // namespace waypost::resolver
