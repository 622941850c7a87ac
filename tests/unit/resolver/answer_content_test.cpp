#include "resolver/answer_content.h"

#include "kept_answer.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::resolver {
namespace {

using Lines = std::vector<std::string>;
using enum dns::RecordType;
using dns::Rcode;

constexpr const char* Soa = "example. 600 IN SOA ns.example. admin.example. 1 7200 1800 86400 60";

struct Case {
  const char* title;
  ResponseLines response;
  Lines answer;
  Lines authority;
  std::uint32_t kept_for = 0;  // Seconds; 0: not at all.
  bool dnssec_ok = false;
};

const Case Cases[] = {
    {"what was asked for",
     {.name = "a.example.",
      .answer = {"a.example. 60 IN A 192.0.2.1", "a.example. 50 IN A 192.0.2.2"}},
     {"a.example. 50 IN A 192.0.2.1", "a.example. 50 IN A 192.0.2.2"},
     {},
     50},
    {"another name's records",
     {.name = "a.example.",
      .answer = {"a.example. 60 IN A 192.0.2.1", "www.bank.example. 9999 IN A 203.0.113.1"}},
     {"a.example. 60 IN A 192.0.2.1"},
     {},
     60},
    {"another type's, and another class's",
     {.name = "a.example.",
      .answer = {"a.example. 60 IN A 192.0.2.1", "a.example. 5 IN TXT \"x\"",
                 "a.example. 5 CH A 192.0.2.9"}},
     {"a.example. 60 IN A 192.0.2.1"},
     {},
     60},
    {"what else an answer brings",
     {.name = "a.example.",
      .answer = {"a.example. 60 IN A 192.0.2.1"},
      .authority = {"example. 5 IN NS ns.example.", Soa},
      .additional = {"ns.example. 5 IN A 203.0.113.1"}},
     {"a.example. 60 IN A 192.0.2.1"},
     {},
     60},
    {"a chain, in any order, without what is not of it",
     {.name = "a.example.",
      .answer = {"c.example. 30 IN A 192.0.2.1", "x.example. 5 IN CNAME c.example.",
                 "b.other. 40 IN CNAME C.example.", "a.example. 60 IN CNAME B.other."}},
     {"B.other. 30 IN CNAME C.example.", "C.example. 30 IN A 192.0.2.1",
      "a.example. 30 IN CNAME B.other."},
     {},
     30},
    {"a CNAME that was asked for is not followed",
     {.name = "a.example.",
      .type = CNAME,
      .answer = {"a.example. 60 IN CNAME b.example.", "b.example. 5 IN CNAME c.example."}},
     {"a.example. 60 IN CNAME b.example."},
     {},
     60},
    {"a chain by a DNAME",
     {.name = "a.old.example.",
      .answer = {"old.example. 90 IN DNAME new.example.",
                 "a.old.example. 90 IN CNAME a.new.example.", "a.new.example. 60 IN A 192.0.2.1",
                 "elsewhere. 5 IN DNAME new.example."}},
     {"a.new.example. 60 IN A 192.0.2.1", "a.old.example. 60 IN CNAME a.new.example.",
      "old.example. 60 IN DNAME new.example."},
     {},
     60},
    {"a chain that goes round is handed on, and not kept",
     {.name = "a.example.",
      .answer = {"a.example. 60 IN CNAME b.example.", "b.example. 60 IN CNAME a.example."}},
     {"a.example. 0 IN CNAME b.example.", "b.example. 0 IN CNAME a.example."},
     {},
     0},
    {"ANY brings everything at the name",
     {.name = "a.example.",
      .type = ANY,
      .answer = {"a.example. 60 IN A 192.0.2.1", "a.example. 50 IN TXT \"x\"",
                 "b.example. 5 IN A 192.0.2.9"}},
     {"a.example. 50 IN A 192.0.2.1", "a.example. 50 IN TXT \"x\""},
     {},
     50},
    {"that a name does not exist, for the SOA's minimum",
     {.name = "a.example.", .rcode = Rcode::NxDomain, .authority = {Soa}},
     {},
     {"example. 60 IN SOA ns.example. admin.example. 1 7200 1800 86400 60"},
     60},
    {"that it has no such type, for the SOA's TTL",
     {.name = "a.example.",
      .authority = {"example. 20 IN SOA ns.example. admin.example. 1 7200 1800 86400 60"}},
     {},
     {"example. 20 IN SOA ns.example. admin.example. 1 7200 1800 86400 60"},
     20},
    {"a denial by a zone that does not hold the name",
     {.name = "a.example.",
      .rcode = Rcode::NxDomain,
      .authority = {"other. 600 IN SOA ns.other. admin.other. 1 7200 1800 86400 60"}},
     {},
     {},
     0},
    {"a denial without a SOA", {.name = "a.example.", .rcode = Rcode::NxDomain}, {}, {}, 0},
    {"a CNAME to a name that is not in the answer, without a SOA, is handed on and not kept "
     "(differs "
     "from CoreDNS)",
     {.name = "a.example.", .answer = {"a.example. 60 IN CNAME b.example."}},
     {"a.example. 0 IN CNAME b.example."},
     {},
     0},
    {"and so is one that leads to no such name",
     {.name = "a.example.",
      .rcode = Rcode::NxDomain,
      .answer = {"a.example. 60 IN CNAME b.example."},
      .authority = {"example. 600 IN NS ns.example."}},
     {"a.example. 0 IN CNAME b.example."},
     {},
     0},
    {"with a SOA it is kept for no longer than that says",
     {.name = "a.example.", .answer = {"a.example. 90 IN CNAME b.example."}, .authority = {Soa}},
     {"a.example. 60 IN CNAME b.example."},
     {"example. 60 IN SOA ns.example. admin.example. 1 7200 1800 86400 60"},
     60},
    {"the denial of a CNAME's target is by the target's zone",
     {.name = "a.other.",
      .rcode = Rcode::NxDomain,
      .answer = {"a.other. 30 IN CNAME b.example."},
      .authority = {"other. 5 IN SOA ns.other. admin.other. 1 7200 1800 86400 5", Soa}},
     {"a.other. 30 IN CNAME b.example."},
     {"example. 30 IN SOA ns.example. admin.example. 1 7200 1800 86400 60"},
     30},
    {"data that is said not to exist",
     {.name = "a.example.",
      .rcode = Rcode::NxDomain,
      .answer = {"a.example. 60 IN A 192.0.2.1"},
      .authority = {Soa}},
     {},
     {"example. 60 IN SOA ns.example. admin.example. 1 7200 1800 86400 60"},
     60},
    {"signatures for who asks for them, by the zone itself",
     {.name = "a.example.",
      .answer = {"a.example. 60 IN A 192.0.2.1",
                 "a.example. 60 IN RRSIG A 8 2 60 20300101000000 20200101000000 1 example. AAAA",
                 "a.example. 60 IN RRSIG TXT 8 2 60 20300101000000 20200101000000 1 example. AAAA",
                 "a.example. 60 IN RRSIG A 8 2 60 20300101000000 20200101000000 1 other. AAAA"},
      .authority =
          {"*.example. 40 IN NSEC b.example. A RRSIG NSEC",
           "*.example. 40 IN RRSIG NSEC 8 1 60 20300101000000 20200101000000 1 example. AAAA",
           "*.other. 5 IN NSEC b.other. A RRSIG NSEC", "example. 5 IN NS ns.example."}},
     {"a.example. 40 IN A 192.0.2.1",
      "a.example. 40 IN RRSIG A 8 2 60 20300101000000 20200101000000 1 example. AAAA"},
     {"*.example. 40 IN NSEC b.example. A RRSIG NSEC",
      "*.example. 40 IN RRSIG NSEC 8 1 60 20300101000000 20200101000000 1 example. AAAA"},
     40,
     true},
    {"and for nobody else",
     {.name = "a.example.",
      .answer = {"a.example. 60 IN A 192.0.2.1",
                 "a.example. 60 IN RRSIG A 8 2 60 20300101000000 20200101000000 1 example. AAAA"},
      .authority = {"*.example. 40 IN NSEC b.example. A RRSIG NSEC"}},
     {"a.example. 60 IN A 192.0.2.1"},
     {},
     60},
    {"the proof of a denial",
     {.name = "a.example.",
      .rcode = Rcode::NxDomain,
      .authority =
          {Soa, "example. 600 IN RRSIG SOA 8 1 600 20300101000000 20200101000000 1 example. AAAA",
           "example. 600 IN NSEC b.example. NS SOA RRSIG NSEC DNSKEY"}},
     {},
     {"example. 60 IN NSEC b.example. NS SOA RRSIG NSEC DNSKEY",
      "example. 60 IN RRSIG SOA 8 1 600 20300101000000 20200101000000 1 example. AAAA",
      "example. 60 IN SOA ns.example. admin.example. 1 7200 1800 86400 60"},
     60,
     true},
};

}  // namespace

TEST_CASE("of a response is kept what answers the question, as long as its smallest TTL says") {
  for (const Case& each : Cases) {
    CAPTURE(each.title);
    KeptAnswers kept;
    const CachedAnswer* const answer = kept.store(each.response, each.dnssec_ok);
    REQUIRE(answer != nullptr);
    const auto text = test::response_text(kept.write(*answer, each.response.name));
    CHECK(text.answer == each.answer);
    CHECK(text.authority == each.authority);
    CHECK(text.additional.empty());
    CHECK(text.rcode == dns::to_text(each.response.rcode));
    const Question question = make_question(each.response.name, each.response.type, each.dnssec_ok);
    using State = AnswerCache::State;
    if (each.kept_for == 0) {
      CHECK(kept.cache.find(question.key(), 0).state == State::Miss);
    } else {
      CHECK(kept.cache.find(question.key(), each.kept_for - 1).state == State::Fresh);
      CHECK(kept.cache.find(question.key(), each.kept_for).state == State::Stale);
    }
  }
}

TEST_CASE("a chain of CNAMEs is followed sixteen times") {
  for (const std::size_t length : {1U, 15U, 16U, 40U}) {
    CAPTURE(length);
    ResponseLines lines{.name = "n0.example."};
    for (std::size_t i = 0; i < length; ++i) {
      lines.answer.push_back("n" + std::to_string(i) + ".example. 60 IN CNAME n" +
                             std::to_string(i + 1) + ".example.");
    }
    lines.answer.push_back("n" + std::to_string(length) + ".example. 60 IN A 192.0.2.1");
    KeptAnswers kept;
    const CachedAnswer* const answer = kept.store(lines);
    const auto text = test::response_text(kept.write(*answer, lines.name));
    CHECK(text.answer.size() == (length < AnswerContent::MaxHops ? length + 1 : 16));
    CHECK(kept.cache.entries() == (length < AnswerContent::MaxHops ? 1 : 0));
  }
}

}  // namespace waypost::resolver
