// A zone's answers as text, for tests: "www.example. A" in, records as lines out.

#pragma once

#include "dns/lookup.h"
#include "zones/zone_set.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::test {

// What is asked and what is expected.  Records are in presentation form, in any order, class IN
// where none is given.
struct ZoneCase {
  std::string asks;  // "www.example. A"
  dns::Outcome outcome = dns::Outcome::Hit;
  std::vector<std::string> answer;
  // Of NoData and NoName: the zone's SOA with its negative TTL is expected, and not listed here.
  std::vector<std::string> authority;
  std::vector<std::string> additional;
  std::string next;  // The target of Follow that leaves the zone, or is not followed.
  bool truncated = false;
  bool follow = true;        // Ask the zone again for targets within it, up to eight times.
  std::size_t size = 65535;  // Of the message, in octets.
};

// What the zone said.  Lists of records are sorted.
struct ZoneAnswer {
  dns::Outcome outcome{};
  std::vector<std::string> answer;
  std::vector<std::string> authority;
  std::vector<std::string> additional;
  std::string next;
  bool truncated = false;
  std::size_t size = 0;  // Of the message, in octets.
};

class ZoneUnderTest {
 public:
  // `text` is a master file.  Throws std::runtime_error when it is none.
  ZoneUnderTest(std::string_view apex, std::string_view text);
  explicit ZoneUnderTest(std::shared_ptr<const zones::Zone> zone);

  // Checks one case; a difference shows the question, the expected and the got.
  void expect(const ZoneCase& expected);
  // Solves and reads the message back with ldns.
  ZoneAnswer ask(const ZoneCase& question);

  const zones::Zone& zone() const { return *zone_; }

 private:
  std::shared_ptr<const zones::Zone> zone_;
  dns::Rotation rotation_{20240229};
};

std::string to_text(dns::Outcome outcome);

// "www.example. 300 A 192.0.2.1" in the form that answers are told in.  Throws for what is no
// record.
std::string normalized(std::string_view record);

// The number of a mnemonic.  Throws for a word that is none.
dns::RecordType type_from_text(std::string_view word);

// A zone's file: `records` behind a SOA and a NS, "@ 3600 SOA ns hostmaster 7 2 3 4 60".
std::string with_soa(std::string_view records);

}  // namespace waypost::test
