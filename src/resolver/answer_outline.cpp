#include "resolver/answer_outline.h"

#include <algorithm>

namespace waypost::resolver {

AnswerOutline AnswerOutline::of(const dns::Response& response) noexcept {
  const auto has = [&](dns::RecordType type) {
    return std::ranges::any_of(response.authority(), [type](const dns::ResponseRecord& record) {
      return record.type == type;
    });
  };
  // NODATA comes with a SOA (RFC 2308, 2.2), or with nothing from servers that recurse.
  const bool is_lame = !response.truncated && response.rcode == dns::Rcode::NoError &&
                       response.answers == 0 && !response.authoritative &&
                       !has(dns::RecordType::SOA) &&
                       (has(dns::RecordType::NS) || !response.recursion_available);
  return {.rcode = response.rcode,
          .is_truncated = response.truncated,
          .has_edns = response.has_edns,
          .is_lame = is_lame};
}

}  // namespace waypost::resolver
