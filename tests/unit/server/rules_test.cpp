// What an operator's rules make of queries, as clients see it.

#include "support/cluster.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace waypost::test {
namespace {

using dns::RecordType;
using server::Transport;

constexpr const char* World = R"(
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.7, ports: [{port: 80}]}
)";
constexpr const char* Web = "web.shop.svc.cluster.local.";

std::unique_ptr<const policy::Policy> policy_of(const std::vector<const char*>& access,
                                                const policy::RateLimit& limit = {}) {
  policy::Options options{.limit = limit};
  for (const char* text : access) {
    options.access.push_back(*policy::AccessRule::from_text(text));
  }
  return policy::Policy::make(options, nullptr, 1);
}

class RuledCluster : public TestCluster {
 public:
  explicit RuledCluster(std::unique_ptr<const policy::Policy> policy,
                        const server::AnswerPolicy& answers = {})
      : TestCluster(default_options(), {}, answers), rules(std::move(policy)) {
    load_world(cache, World);
    set_rules(rules.get());
  }

  ResponseText ask_text(const std::string& name, RecordType type = RecordType::A,
                        std::string_view client = "10.0.0.1",
                        Transport transport = Transport::Udp) {
    const auto response =
        ask(make_query({.name = name, .type = type, .edns = true}), transport, client);
    REQUIRE_FALSE(response.empty());
    return response_text(response);
  }
  bool is_silent(const std::string& name, std::string_view client,
                 Transport transport = Transport::Udp) {
    return ask(make_query({.name = name}), transport, client).empty();
  }

  const std::unique_ptr<const policy::Policy> rules;
};

TEST_CASE("without a rule there is no policy") {
  CHECK(policy_of({}) == nullptr);
}

TEST_CASE(
    "a blocked query is REFUSED and told why, a filtered one has no data, a dropped one nothing") {
  RuledCluster cluster(
      policy_of({"block net 10.9.0.0/16", "block zone blocked.example",
                 "filter type AAAA zone cluster.local", "drop net 10.8.0.0/16", "allow type A"}));
  const auto prohibited = cluster.ask_text(Web, RecordType::A, "10.9.0.1");
  CHECK(prohibited.rcode == "REFUSED");
  CHECK(prohibited.answer.empty());
  REQUIRE(prohibited.options.size() == 1);
  CHECK(prohibited.options[0].starts_with("15 0012"));  // RFC 8914: Prohibited.
  const auto blocked = cluster.ask_text("a.blocked.example.");
  CHECK(blocked.rcode == "REFUSED");
  CHECK(blocked.options.at(0).starts_with("15 000f"));  // Blocked.
  const auto filtered = cluster.ask_text(Web, RecordType::AAAA);
  CHECK(filtered.rcode == "NOERROR");
  CHECK(filtered.answer.empty());
  CHECK(filtered.authority == std::vector<std::string>{". 60 IN SOA . . 1 7200 1800 86400 60"});
  CHECK(filtered.options.at(0).starts_with("15 0011"));  // Filtered.
  CHECK(cluster.is_silent(Web, "10.8.0.1"));
  CHECK(cluster.is_silent(Web, "10.8.0.1", Transport::Tcp));
  CHECK(cluster.ask_text(Web).answer ==
        std::vector<std::string>{std::string(Web) + " 5 IN A 10.96.0.7"});
  CHECK(cluster.counters.access_blocked.value() == 2);
  CHECK(cluster.counters.access_filtered.value() == 1);
  CHECK(cluster.counters.access_dropped.value() == 2);
  CHECK(cluster.counters.access_allowed.value() == 1);
}

TEST_CASE("rules hold for transfers, too") {
  server::AnswerPolicy answers;
  answers.transfer_allow = {*IpPrefix::from_text("10.0.0.0/8")};
  RuledCluster cluster(policy_of({"block type AXFR IXFR net 10.9.0.0/16"}), answers);
  CHECK(cluster.ask_text("cluster.local.", RecordType::IXFR, "10.9.0.1").rcode == "REFUSED");
  CHECK(cluster.ask_text("cluster.local.", RecordType::IXFR, "10.8.0.1").rcode == "NOERROR");
}

TEST_CASE("a client above its limit is refused, truncated or not answered, the others are served") {
  using enum policy::LimitAction;
  for (const policy::LimitAction action : {Refuse, Truncate, Drop}) {
    RuledCluster cluster(policy_of({}, {.rate = 1,
                                        .burst = 3,
                                        .action = action,
                                        .exempt = {*IpPrefix::from_text("10.7.0.0/16")}}));
    for (int i = 0; i < 3; ++i) {
      CHECK(cluster.ask_text(Web).answer.size() == 1);
    }
    if (action == Drop) {
      CHECK(cluster.is_silent(Web, "10.0.0.1"));
    } else {
      const auto over = cluster.ask_text(Web);
      CHECK(over.answer.empty());
      CHECK(over.rcode == (action == Refuse ? "REFUSED" : "NOERROR"));
      CHECK(over.flags == (action == Refuse ? "qr rd" : "qr tc rd"));
      const auto tcp = cluster.ask_text(Web, RecordType::A, "10.0.0.1", Transport::Tcp);
      CHECK(tcp.rcode == "REFUSED");
      CHECK(cluster.counters.rate_limited.value() == 2);
    }
    CHECK(cluster.ask_text(Web, RecordType::A, "10.0.0.2").answer.size() == 1);
    for (int i = 0; i < 9; ++i) {
      CHECK(cluster.ask_text(Web, RecordType::A, "10.7.0.1").answer.size() == 1);
    }
  }
}

TEST_CASE("a limit survives other rules, and is another one when it changes") {
  const policy::RateLimit limit{.rate = 1, .burst = 1};
  const auto first = policy_of({}, limit);
  const auto client = IpAddress::v4(10, 0, 0, 1);
  using Verdict = policy::ClientBuckets::Verdict;
  CHECK(first->admit(client, 5) == Verdict::Granted);
  policy::Options options{.limit = limit, .access = {*policy::AccessRule::from_text("allow")}};
  const auto second = policy::Policy::make(options, first.get(), 2);
  CHECK(second->admit(client, 5) == Verdict::Denied);
  options.limit.burst = 2;
  CHECK(policy::Policy::make(options, second.get(), 3)->admit(client, 5) == Verdict::Granted);
}

TEST_CASE("a query that had to wait for another server is charged and counted once") {
  policy::RateLimit limit;
  limit.rate = 1;
  limit.burst = 1;
  RuledCluster cluster(policy_of({"allow type A"}, limit));
  resolver::AnswerCache cache(1U << 20U);
  cluster.set_answers(&cache);
  server::Counters counters;
  server::Responder responder(cluster.views(), counters, 1);
  const auto request = make_query({.name = "www.example.com."});
  const server::Client client{.address = IpAddress::v4(10, 0, 0, 1)};
  std::vector<std::uint8_t> out(dns::MaxMessageSize);
  REQUIRE(responder.respond(request, client, out).resolve);
  const resolver::Question question = responder.elsewhere();
  const resolver::Resolution failed{.question = question, .text = "nobody answers"};
  const server::Reply resumed = responder.resume(request, client, &failed, nullptr, out);
  CHECK(response_text({out.begin(), out.begin() + std::ptrdiff_t(resumed.size)}).rcode ==
        "SERVFAIL");
  CHECK(counters.access_allowed.value() == 1);
  CHECK(counters.rate_limited.value() == 0);
  // And there is a limit.
  const server::Reply second = responder.respond(request, client, out);
  CHECK(response_text({out.begin(), out.begin() + std::ptrdiff_t(second.size)}).rcode == "REFUSED");
  CHECK(counters.rate_limited.value() == 1);
}

TEST_CASE("of a family that nobody can use, nobody is asked; names of zones here keep it") {
  server::AnswerPolicy answers;
  answers.unusable = RecordType::AAAA;
  RuledCluster cluster(nullptr, answers);
  resolver::AnswerCache cache(1U << 20U);
  cluster.set_answers(&cache);
  const auto denied = cluster.ask_text("www.example.com.", RecordType::AAAA);
  CHECK(denied.rcode == "NOERROR");
  CHECK(denied.flags == "qr rd ra");
  CHECK(denied.answer.empty());
  CHECK(denied.authority == std::vector<std::string>{". 60 IN SOA . . 1 7200 1800 86400 60"});
  CHECK(cluster.counters.families_filtered.value() == 1);
  // To be resolved: no answer at once.
  CHECK(cluster.is_silent("www.example.com.", "10.0.0.1"));
  CHECK(cluster.ask_text(Web, RecordType::AAAA).authority.at(0).starts_with("cluster.local. "));
  CHECK(cluster.counters.families_filtered.value() == 1);
}

}  // namespace
}  // namespace waypost::test
