// What the pods of a cluster ask, and what the answers must be.

#pragma once

#include "base/bytes.h"
#include "bench/world.h"
#include "dns/types.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace waypost::bench {

enum class Mix : std::uint8_t {
  Cluster,       // 60 % hits, 32 % search-path names (NXDOMAIN), 5 % SRV, 3 % names of endpoints.
  Hits,          // A and AAAA of Services, by halves.
  NxDomain,      // Names that the search path makes of names elsewhere.
  Headless10,    // A of the large headless Service with so many endpoints.
  Headless100,   //
  Headless1000,  //
};

// Which questions carry an EDNS record, with a size of 1232 octets and no options.
enum class Edns : std::uint8_t {
  AsMix,  // Those for SRV and for large Services.
  All,
  None,
};

enum class Transport : std::uint8_t { Udp, Tcp };

// Whether TC must be set in an answer over UDP.  A server may compress an SRV's target (RFC 3597,
// 4) or not (RFC 2782); where it depends on that, both are right.
enum class Truncation : std::uint8_t { Never, Possible, Always };

// One request as it is sent, but for its id, and what its answer must be.
struct Question {
  std::vector<std::uint8_t> request;
  std::size_t question_end = 0;  // Where the question section ends in `request`.
  dns::Rcode rcode = dns::Rcode::NoError;
  std::uint16_t answers = 0;  // Records of the answer section.
  Truncation truncation = Truncation::Never;
};

// The data of an answer section, in octets, with and without compressed targets.
struct AnswerSize {
  std::size_t least = 0;
  std::size_t most = 0;
};

// A question of class IN about `name`, a domain name in presentation form, and what it expects;
// `edns`: with an EDNS record for 1232 octets.
Question make_question(const std::string& name, dns::RecordType type, bool edns, dns::Rcode rcode,
                       std::uint16_t answers, AnswerSize size = {});

// `count` questions in random order, equal in every run.
std::vector<Question> make_questions(const World& world, Mix mix, Edns edns, std::size_t count);

// Whether `answer` has the question, the rcode and the number of records that it must have.  A
// truncated answer may hold fewer records.  Its id is the caller's to look at.
bool is_right(const Question& question, Bytes answer, Transport transport) noexcept;

}  // namespace waypost::bench
