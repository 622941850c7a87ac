#include "server/query_log.h"

#include "dns/name.h"
#include "support/cluster.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

namespace waypost::test {
namespace {

using dns::RecordType;
using server::LoggedQuery;
using server::QueryClass;
using server::QueryClasses;
using server::QueryLog;
using server::QueryLogOptions;
using server::QueryLogRule;

QueryLogRule rule(std::string_view zone, QueryClasses classes) {
  const std::string text(zone);
  return {std::string(as_text(dns::Name::from_text(text)->wire())), classes};
}

constexpr QueryClasses Success = static_cast<QueryClasses>(QueryClass::Success);
constexpr QueryClasses Denial = static_cast<QueryClasses>(QueryClass::Denial);
constexpr QueryClasses Error = static_cast<QueryClasses>(QueryClass::Error);

// A Responder whose queries are told to a log.
class LoggedCluster {
 public:
  explicit LoggedCluster(std::vector<QueryLogRule> rules, std::uint32_t rate = 100)
      : log(QueryLogOptions{std::move(rules), rate}, 1, 1) {
    load_world(cluster_.cache, ShopWorld);
    cluster_.lend(views);
    views.query_log = &log;
  }

  server::Reply ask(const std::vector<std::uint8_t>& request, server::Client client = {}) {
    return responder_.respond(request, client, out_);
  }
  // "NAME TYPE RCODE" of each query that is told.
  std::vector<std::string> told() {
    std::vector<std::string> lines;
    log.drain([&](const LoggedQuery& query) {
      const auto name = dns::Name::from_wire(query.name());
      lines.push_back((name ? name->to_text() : "-") + " " + dns::to_text(query.type) + " " +
                      (query.rcode == LoggedQuery::NoAnswer
                           ? "none"
                           : dns::to_text(static_cast<dns::Rcode>(query.rcode))));
    });
    return lines;
  }

  server::Views views;
  QueryLog log;

 private:
  TestCluster cluster_;
  server::Counters counters_;
  server::Responder responder_{views, counters_, 3};
  std::vector<std::uint8_t> out_ = std::vector<std::uint8_t>(dns::MaxMessageSize);
};

const std::vector<std::string> Nothing;

// One query of each class, and what is told of them.
std::vector<std::string> told_of_all(QueryClasses classes) {
  LoggedCluster cluster({rule(".", classes)});
  cluster.ask(make_query({.name = "Web.shop.svc.cluster.local."}));
  cluster.ask(make_query({.name = "web.shop.svc.cluster.local.", .type = RecordType::TXT}));
  cluster.ask(make_query({.name = "no.shop.svc.cluster.local."}));
  cluster.ask(make_query({.name = "www.example.org."}));
  return cluster.told();
}

}  // namespace

TEST_CASE("of queries those are told whose class is wanted, with the name as it was sent") {
  const std::string hit = "Web.shop.svc.cluster.local. A NOERROR";
  const std::string empty = "web.shop.svc.cluster.local. TXT NOERROR";
  const std::string absent = "no.shop.svc.cluster.local. A NXDOMAIN";
  const std::string refused = "www.example.org. A REFUSED";
  CHECK(told_of_all(server::AllQueryClasses) ==
        std::vector<std::string>{hit, empty, absent, refused});
  CHECK(told_of_all(Success) == std::vector<std::string>{hit});
  CHECK(told_of_all(Denial) == std::vector<std::string>{empty, absent});
  CHECK(told_of_all(Error) == std::vector<std::string>{refused});
  CHECK(told_of_all(0) == Nothing);
}

TEST_CASE("the longest zone that has a name decides, whatever the order and case") {
  LoggedCluster cluster({rule(".", Error), rule("shop.svc.cluster.local.", 0),
                         rule("cluster.local.", server::AllQueryClasses)});
  for (const char* name : {"web.shop.svc.cluster.local.", "x.SHOP.svc.Cluster.local.",
                           "x.svc.cluster.LOCAL.", "xcluster.local.", "cluster.local."}) {
    cluster.ask(make_query({.name = name}));
  }
  CHECK(cluster.told() == std::vector<std::string>{"x.svc.cluster.LOCAL. A NXDOMAIN",
                                                   "xcluster.local. A REFUSED",
                                                   "cluster.local. A NOERROR"});
}

TEST_CASE("a record has what is known of query and answer") {
  LoggedCluster cluster({rule(".", server::AllQueryClasses)});
  const auto request = make_query({.name = "web.shop.svc.cluster.local."});
  const server::Reply reply = cluster.ask(request, {.address = IpAddress::v4(10, 0, 0, 9),
                                                    .transport = server::Transport::Tcp,
                                                    .time = {.uptime = 5, .uptime_us = 5'250'000},
                                                    .since_us = 5'000'000});
  LoggedQuery told;
  cluster.log.drain([&](const LoggedQuery& query) { told = query; });
  CHECK(told.client == IpAddress::v4(10, 0, 0, 9));
  CHECK(told.transport == server::Transport::Tcp);
  CHECK(told.size == reply.size);
  CHECK(told.answered_us == 5'250'000);
  CHECK(told.was_elsewhere);
  CHECK(told.waited_us == 250'000);
  CHECK(told.weight == 1);
  CHECK(told.record_class == dns::RecordClass::IN);
  CHECK_FALSE(told.is_truncated);
}

TEST_CASE("a query that nobody can read is told without a name, one that is no query not at all") {
  LoggedCluster cluster({rule(".", Error)});
  auto broken = make_query({.name = "web.shop.svc.cluster.local."});
  broken.resize(20);
  cluster.ask(broken);
  auto response = make_query({.name = "web.shop.svc.cluster.local."});
  response[2] |= 0x80;
  cluster.ask(response);
  CHECK(cluster.told() == std::vector<std::string>{"- TYPE0 FORMERR"});
}

TEST_CASE("whoever only tries a query out is not told of") {
  LoggedCluster cluster({rule(".", server::AllQueryClasses)});
  cluster.ask(make_query({.name = "web.shop.svc.cluster.local."}), {.is_trial = true});
  CHECK(cluster.told() == Nothing);
}

TEST_CASE("a query whose answer is asked for elsewhere is told once, with its answer") {
  LoggedCluster cluster({rule(".", server::AllQueryClasses)});
  const auto cache = std::make_unique<resolver::AnswerCache>(1 << 20);
  cluster.views.answers = cache.get();
  CHECK(cluster.ask(make_query({.name = "www.example.org."})).resolve);
  CHECK(cluster.told() == Nothing);
}

TEST_CASE("what no answer is sent to is an error") {
  LoggedCluster cluster({rule(".", Error)});
  policy::Options options;
  options.access.push_back(*policy::AccessRule::from_text("drop"));
  const auto rules = policy::Policy::make(options, nullptr, nullptr, 1, 1);
  cluster.views.rules = rules.get();
  cluster.ask(make_query({.name = "web.shop.svc.cluster.local."}));
  CHECK(cluster.told() == std::vector<std::string>{"web.shop.svc.cluster.local. A none"});
}

TEST_CASE("of a flood the few that are told stand for all of it") {
  LoggedCluster cluster({rule(".", Denial)}, 50);
  const auto denied = make_query({.name = "no.shop.svc.cluster.local."});
  const auto hit = make_query({.name = "web.shop.svc.cluster.local."});
  constexpr std::uint64_t Each = 5000;
  std::uint64_t records = 0;
  std::uint64_t weight = 0;
  std::uint64_t missed = 0;
  constexpr int Seconds = 40;
  for (int second = 0; second < Seconds; ++second) {
    if (second == Seconds / 2) {  // By then the load is known.
      records = weight = 0;
      missed = cluster.log.missed();
    }
    for (std::uint64_t i = 0; i < Each; ++i) {
      cluster.ask(denied);
      cluster.ask(hit);
    }
    cluster.log.drain([&](const LoggedQuery& query) {
      ++records;
      weight += query.weight;
    });
  }
  CHECK(records <= Seconds / 2 * 100);
  CHECK(records >= Seconds / 2 * 20);
  CHECK(static_cast<double>(weight + cluster.log.missed() - missed) ==
        doctest::Approx(Each * Seconds / 2).epsilon(0.15));
}

TEST_CASE("the class of an answer is that of CoreDNS' log") {
  std::vector<std::uint8_t> reply(dns::HeaderSize, 0);
  CHECK(server::class_of(dns::Rcode::NoError, reply) == QueryClass::Denial);
  CHECK(server::class_of(dns::Rcode::NxDomain, reply) == QueryClass::Denial);
  for (const dns::Rcode rcode :
       {dns::Rcode::ServFail, dns::Rcode::Refused, dns::Rcode::NotImp, dns::Rcode::BadVers}) {
    CHECK(server::class_of(rcode, reply) == QueryClass::Error);
  }
  CHECK(server::class_of(dns::Rcode::NoError, {}) == QueryClass::Error);
  reply[2] = 0x02;  // TC
  CHECK(server::class_of(dns::Rcode::NoError, reply) == QueryClass::Success);
  reply[2] = 0;
  reply[7] = 1;  // ANCOUNT
  CHECK(server::class_of(dns::Rcode::NoError, reply) == QueryClass::Success);
  CHECK(server::class_of(dns::Rcode::NxDomain, reply) == QueryClass::Denial);
}

}  // namespace waypost::test
