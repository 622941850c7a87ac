// Which records of a response answer a question: the CNAMEs that lead from its name to the data or
// to the denial, and what proves either.  Everything else a server sends along is passed over,
// however true it may be: it was not asked for (RFC 5452, 6; RFC 2181, 5.4.1).
//
//   answer      at each name of the chain the data asked for, or the CNAME, with the DNAME that it
//               comes from (RFC 6672, 3.1)
//   authority   of a denial the SOA of a zone that holds the last name (RFC 2308, 2); for who asks
//               with DO signatures and the proof, within zones that signed or denied something here
//
// Not here: the form that answers are kept in (resolver/answer_packer.h).

#pragma once

#include "base/bytes.h"
#include "dns/message_writer.h"
#include "dns/response.h"
#include "dns/types.h"
#include "resolver/question.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace waypost::resolver {

struct AnswerContent {
  // CNAMEs that are followed within one response.
  static constexpr std::size_t MaxHops = 16;

  enum class Kind : std::uint8_t { Data, NoData, NoName };

  // Records that are told together or not at all: one RRset with its signatures (RFC 2181, 9).
  struct Group {
    dns::Section section = dns::Section::Answer;
    std::size_t end = 0;  // In `records`; it begins where the one before ends.
  };

  Kind kind = Kind::NoData;
  // For how long it may be kept: the smallest TTL, of a denial no more than the SOA's minimum
  // (RFC 2308, 5).  0 for a denial without a SOA, and for a chain that does not end.
  std::uint32_t ttl = 0;
  // No CNAME leads from the question's name: a denial is one of that name.
  bool is_direct = true;
  std::vector<dns::ResponseRecord> records;
  std::vector<Group> groups;  // Those of the answer section first.
};

// Finds them.  Keeps what it allocates for the next response.  One thread.
class ContentReader {
 public:
  // `response` was read from `packet` and is the response to `question`.  What is returned is good
  // until the next call.
  const AnswerContent& read(const Question& question, Bytes packet, const dns::Response& response);

 private:
  bool read_name(const Question& question, const dns::NameKey& name);
  bool follow(const Question& question, dns::NameKey& name);
  void read_denial(const dns::NameKey& name);
  void read_proof();
  void take(const dns::ResponseRecord& record);
  void take_signatures(Bytes name, dns::RecordType covered);
  void close_group(dns::Section section);
  bool is_signing_zone(Bytes owner) const;

  Bytes packet_;
  const dns::Response* response_ = nullptr;
  bool wants_proof_ = false;
  AnswerContent content_;
  std::vector<std::vector<std::uint8_t>> zones_;  // That signed or denied; lower case, wire form.
};

}  // namespace waypost::resolver
