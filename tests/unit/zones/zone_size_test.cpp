// What becomes of answers that are too large, and in which order records come.

#include "unit/zones/zone_expect.h"

#include "dns/ldns_bridge.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

using namespace waypost;
using dns::Outcome;
using test::ZoneAnswer;
using test::ZoneUnderTest;

namespace {

// "NAME 60 A 192.0.2.N" for N in 1..count.
std::string addresses(std::string_view name, int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) {
    text += fmt::format("{} 60 A 192.0.2.{}\n", name, i);
  }
  return text;
}

// The rdata of the record that the message names first.
std::string first_address(const zones::Zone& zone, dns::Rotation& rotation) {
  const auto packet = test::make_query({.name = "www.example."});
  dns::Query query;
  REQUIRE(dns::read_query(packet, query) == dns::ReadVerdict::Answer);
  std::array<std::uint8_t, 1232> buffer{};
  dns::MessageWriter writer(buffer);
  writer.start(query);
  dns::Target next;
  REQUIRE(zone.solve({query.name, query.type, dns::QuestionOffset, rotation}, writer, next) ==
          Outcome::Hit);
  const Result<dns::Message> message = dns::parse_message(Bytes(buffer).first(writer.finish()));
  REQUIRE(message);
  return dns::to_text(message->answer.front());
}

}  // namespace

TEST_CASE("every record of a set comes first equally often") {
  ZoneUnderTest zone("example.", test::with_soa(addresses("www", 5)));
  dns::Rotation rotation(7);
  std::map<std::string, int> times;
  for (int i = 0; i < 5000; ++i) {
    ++times[first_address(zone.zone(), rotation)];
  }
  CHECK(times.size() == 5);
  for (const auto& [record, count] : times) {
    CAPTURE(record);
    CHECK(count > 850);  // 1000 expected, standard deviation 28.
    CHECK(count < 1150);
  }
}

TEST_CASE("a set that does not fit is cut after whole records, with TC, and shows all in turn") {
  ZoneUnderTest zone("example.", test::with_soa(addresses("www", 100)));
  std::set<std::string> seen;
  for (int i = 0; i < 400; ++i) {
    const ZoneAnswer got = zone.ask({.asks = "www.example. A", .size = 512});
    REQUIRE(got.outcome == Outcome::Hit);
    REQUIRE(got.truncated);
    REQUIRE(got.answer.size() == 30);  // (512 - 29 for header and question) / 16
    seen.insert(got.answer.begin(), got.answer.end());
  }
  CHECK(seen.size() == 100);
}

TEST_CASE("an answer of which nothing fits says so, and the message stays whole") {
  ZoneUnderTest zone("example.", test::with_soa(R"(
$TTL 60
big   TXT "0123456789012345678901234567890123456789012345678901234567890123456789"
alias CNAME big
a     CNAME b
b     A 192.0.2.1
d     DNAME e
)"));
  const std::size_t question = 12 + 4;
  zone.expect({.asks = "big.example. TXT",
               .outcome = Outcome::Truncated,
               .truncated = true,
               .size = question + 13 + 20});
  zone.expect({.asks = "big.example. ANY",
               .outcome = Outcome::Truncated,
               .truncated = true,
               .size = question + 13 + 20});
  zone.expect({.asks = "a.example. A",
               .outcome = Outcome::Truncated,
               .answer = {"a.example. 60 CNAME b.example."},
               .truncated = true,
               .size = question + 11 + 12 + 11 + 15});
  zone.expect({.asks = "a.example. A",
               .answer = {"a.example. 60 CNAME b.example.", "b.example. 60 A 192.0.2.1"},
               .size = question + 11 + 12 + 11 + 16});
  // DNAME and CNAME go together (RFC 6672, 3.1).
  zone.expect({.asks = "x.d.example. A",
               .outcome = Outcome::Truncated,
               .truncated = true,
               .size = question + 13 + 12 + 11 + 12 + 12});
}

TEST_CASE("every size gives a message that can be read, and TC when the answer is not whole") {
  ZoneUnderTest zone("example.", test::with_soa(R"(
$TTL 60
www   CNAME srv
srv   SRV 0 0 1 a.sub
      SRV 0 0 2 b
b     A 192.0.2.1
sub   NS a.sub
      NS b
a.sub A 192.0.2.2
      AAAA 2001:db8::2
)"));
  for (const char* asks : {"www.example. SRV", "srv.example. SRV", "x.sub.example. A"}) {
    const ZoneAnswer whole = zone.ask({.asks = asks});
    for (std::size_t size = 33; size < whole.size; ++size) {
      const ZoneAnswer got = zone.ask({.asks = asks, .size = size});
      CAPTURE(asks);
      CAPTURE(size);
      const bool complete = got.answer == whole.answer && got.authority == whole.authority;
      const bool has_glue = std::ranges::count_if(got.additional, [](const std::string& record) {
                              return record.starts_with("a.sub.");
                            }) == 2;
      const bool is_referral = got.outcome == Outcome::Referral;
      CHECK(got.truncated == !(complete && (has_glue || !is_referral)));
    }
  }
}

TEST_CASE(
    "glue from within the delegated zone sets TC when it does not fit, other addresses do not") {
  // RFC 9471, 3.1 and 3.2
  ZoneUnderTest zone("example.", test::with_soa(R"(
$TTL 60
sub     NS ns.sub
sub     NS ns.sib
ns.sub  A 192.0.2.1
sib     NS ns.sib
ns.sib  A 192.0.2.2
)"));
  const std::vector<std::string> servers = {"sub.example. 60 NS ns.sub.example.",
                                            "sub.example. 60 NS ns.sib.example."};
  const ZoneAnswer whole = zone.ask({.asks = "x.sub.example. A"});
  REQUIRE(whole.additional.size() == 2);
  zone.expect({.asks = "x.sub.example. A",
               .outcome = Outcome::Referral,
               .authority = servers,
               .additional = {"ns.sub.example. 60 A 192.0.2.1"},
               .size = whole.size - 1});
  zone.expect({.asks = "x.sub.example. A",
               .outcome = Outcome::Referral,
               .authority = servers,
               .truncated = true,
               .size = whole.size - 17});
}

TEST_CASE("a delegation to more servers than have a compressed owner is told with all their glue") {
  std::string text;
  std::vector<std::string> authority;
  std::vector<std::string> additional;
  for (int i = 0; i < 40; ++i) {
    text += fmt::format("sub 60 NS n{0}.sub\nn{0}.sub 60 A 192.0.2.{0}\n", i);
    authority.push_back(fmt::format("sub.example. 60 NS n{}.sub.example.", i));
    additional.push_back(fmt::format("n{0}.sub.example. 60 A 192.0.2.{0}", i));
  }
  ZoneUnderTest zone("example.", test::with_soa(text));
  zone.expect({.asks = "x.sub.example. A",
               .outcome = Outcome::Referral,
               .authority = authority,
               .additional = additional});
}

TEST_CASE("the SOA of a negative answer is compressed against the question") {
  ZoneUnderTest zone("empty.example.", "@ 60 SOA @ nobody.invalid. 1 2 3 4 60");
  // Owner 2, fixed 10, MNAME 2, RNAME 16, five numbers 20.
  CHECK(zone.ask({.asks = "empty.example. A"}).size == 12 + 15 + 4 + 2 + 10 + 2 + 16 + 20);
}
