// What an operator's rules make of queries, as clients see it.

#include "dns/ldns_bridge.h"
#include "support/cluster.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace waypost::test {
namespace {

using dns::RecordType;
using server::Transport;

constexpr const char* Web = "web.shop.svc.cluster.local.";

std::unique_ptr<const policy::Policy> policy_of(const std::vector<const char*>& access,
                                                const policy::RateLimit& limit = {}) {
  policy::Options options{.limit = limit};
  for (const char* text : access) {
    options.access.push_back(*policy::AccessRule::from_text(text));
  }
  return policy::Policy::make(options, nullptr, nullptr, 1, 1);
}

class RuledCluster : public TestCluster {
 public:
  explicit RuledCluster(std::unique_ptr<const policy::Policy> policy,
                        const server::AnswerPolicy& answers = {})
      : TestCluster(default_options(), {}, answers), rules(std::move(policy)) {
    load_world(cache, ShopWorld);
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
  const auto second = policy::Policy::make(options, nullptr, first.get(), 2, 1);
  CHECK(second->admit(client, 5) == Verdict::Denied);
  options.limit.burst = 2;
  CHECK(policy::Policy::make(options, nullptr, second.get(), 3, 1)->admit(client, 5) ==
        Verdict::Granted);
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

std::unique_ptr<const policy::Policy> policy_with(const std::vector<const char*>& rewrites,
                                                  const std::vector<const char*>& templates,
                                                  std::shared_ptr<const policy::Hosts> hosts = {},
                                                  const std::vector<const char*>& access = {}) {
  policy::Options options;
  for (const char* text : rewrites) {
    options.rewrites.push_back(*policy::RewriteRule::from_text(text));
  }
  for (const char* text : templates) {
    auto rule = policy::TemplateRule::from_text(text);
    REQUIRE_MESSAGE(rule, text, ": ", rule ? "" : rule.error().message);
    options.templates.push_back(std::move(*rule));
  }
  for (const char* text : access) {
    options.access.push_back(*policy::AccessRule::from_text(text));
  }
  return policy::Policy::make(options, std::move(hosts), nullptr, 1, 1);
}

using Lines = std::vector<std::string>;

TEST_CASE("a rewritten name is answered as the name that was asked for, in its case") {
  RuledCluster cluster(policy_with(
      {"suffix .corp.example .svc.cluster.local", "exact a.b.c.d.e.example ns.dns.cluster.local"},
      {}));
  const auto hit = cluster.ask_text("Web.Shop.Corp.Example.");
  CHECK(hit.question == "Web.Shop.Corp.Example. IN A");
  CHECK(hit.answer == Lines{"Web.Shop.Corp.Example. 5 IN A 10.96.0.7"});
  CHECK(hit.flags == "qr aa rd");
  CHECK(hit.edns);
  const auto none = cluster.ask_text("nobody.shop.corp.example.");
  CHECK(none.rcode == "NXDOMAIN");
  REQUIRE(none.authority.size() == 1);
  CHECK(none.authority[0].starts_with("cluster.local. 5 IN SOA ns.dns.cluster.local. "));
  const auto data = cluster.ask_text("web.shop.corp.example.", RecordType::TXT);
  CHECK(data.rcode == "NOERROR");
  CHECK(data.authority.size() == 1);
  CHECK(cluster.ask_text("other.example.").rcode == "REFUSED");
  CHECK(cluster.counters.rewrites.value() == 3);
}

TEST_CASE("names in rdata and owners go back where the rule says so") {
  const auto zone = zones::Zone::make(
      *dns::Name::from_text("svc.example"),
      {*dns::record_from_text("svc.example. 60 IN SOA ns.svc.example. a.svc.example. 1 2 3 4 5"),
       *dns::record_from_text("svc.example. 60 IN NS ns.svc.example."),
       *dns::record_from_text("web.svc.example. 60 IN CNAME real.svc.example."),
       *dns::record_from_text("real.svc.example. 60 IN A 192.0.2.1"),
       *dns::record_from_text("_x._tcp.svc.example. 60 IN SRV 1 2 3 real.svc.example.")});
  REQUIRE(zone);
  const auto ask = [&](const char* rule, const char* name, RecordType type) {
    const auto rules = policy_with({rule}, {});
    TestCluster cluster(default_options(),
                        {std::shared_ptr<const zones::Zone>(zone->get(), [](auto*) {})});
    cluster.set_rules(rules.get());
    return response_text(cluster.ask(make_query({.name = name, .type = type}))).answer;
  };
  CHECK(ask("suffix .corp.example .svc.example", "web.corp.example.", RecordType::A) ==
        Lines{"real.svc.example. 60 IN A 192.0.2.1",
              "web.corp.example. 60 IN CNAME real.svc.example."});
  CHECK(ask("suffix .corp.example .svc.example answer auto", "web.corp.example.", RecordType::A) ==
        Lines{"real.corp.example. 60 IN A 192.0.2.1",
              "web.corp.example. 60 IN CNAME real.corp.example."});
  CHECK(ask("suffix .corp.example .svc.example answer auto", "_x._tcp.corp.example.",
            RecordType::SRV) == Lines{"_x._tcp.corp.example. 60 IN SRV 1 2 3 real.corp.example."});
  CHECK(ask(R"(regex ^w\.example\.$ web.svc.example answer value ^real\.(.*)$ x.{1})", "w.example.",
            RecordType::CNAME) == Lines{"w.example. 60 IN CNAME x.svc.example."});
}

TEST_CASE("the name that was looked up, and names below it, are not told with answer auto") {
  const auto zone = zones::Zone::make(
      *dns::Name::from_text("b.example"),
      {*dns::record_from_text("b.example. 60 IN SOA ns.b.example. a.b.example. 1 2 3 4 5"),
       *dns::record_from_text("b.example. 60 IN NS ns.b.example."),
       *dns::record_from_text("b.example. 60 IN MX 1 mail.b.example."),
       *dns::record_from_text("b.example. 60 IN MX 2 b.example."),
       *dns::record_from_text("b.example. 60 IN MX 3 other.example.")});
  REQUIRE(zone);
  const auto ask = [&](const char* rule) {
    const auto rules = policy_with({rule}, {});
    TestCluster cluster(default_options(),
                        {std::shared_ptr<const zones::Zone>(zone->get(), [](auto*) {})});
    cluster.set_rules(rules.get());
    return response_text(cluster.ask(make_query({.name = "A.example.", .type = RecordType::MX})))
        .answer;
  };
  const Lines told = {"A.example. 60 IN MX 1 mail.A.example.", "A.example. 60 IN MX 2 A.example.",
                      "A.example. 60 IN MX 3 other.example."};
  CHECK(ask("exact a.example b.example") == told);
  CHECK(ask("prefix a. b. answer auto") == told);
  CHECK(ask("prefix a. b.") == Lines{"A.example. 60 IN MX 1 mail.b.example.",
                                     "A.example. 60 IN MX 2 b.example.",
                                     "A.example. 60 IN MX 3 other.example."});
}

TEST_CASE("a name of which a rule makes none is a failure, and nobody is asked for it") {
  RuledCluster cluster(policy_with({R"(regex ^(.*)\.bad\.$ {1}{1}{1}{1}{1}{1}{1}{1})"}, {}));
  const auto failed = cluster.ask_text("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bad.");
  CHECK(failed.rcode == "SERVFAIL");
  CHECK(failed.options.at(0).starts_with("15 0000"));  // RFC 8914: Other.
  CHECK(cluster.counters.rewrite_failures.value() == 1);
}

TEST_CASE("access is decided by the name that is looked up, so that no rewriting leads around it") {
  RuledCluster cluster(
      policy_with({"suffix .corp.example .svc.cluster.local"}, {}, {},
                  {"block zone svc.cluster.local", "block zone nowhere.corp.example"}));
  CHECK(cluster.ask_text("web.shop.corp.example.").rcode == "REFUSED");
  CHECK(cluster.ask_text("x.nowhere.corp.example.").rcode == "REFUSED");  // As svc.cluster.local.
}

TEST_CASE("a rewritten name that nobody here owns is asked for as what it was rewritten to") {
  RuledCluster cluster(policy_with({"name a.example b.example.com"}, {}));
  resolver::AnswerCache cache(1U << 20U);
  cluster.set_answers(&cache);
  CHECK(cluster.is_silent("a.example.", "10.0.0.1"));
  auto packet = make_query({.name = "b.example.com."});
  packet[2] |= 0x80;
  packet[7] = 1;
  const std::vector<std::uint8_t> record = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
  packet.insert(packet.end(), record.begin(), record.end());
  const auto response = std::make_unique<dns::Response>();
  REQUIRE(dns::read_response(packet, *response));
  cache.store({response->name, RecordType::A, false, false}, packet, *response, 0);
  CHECK(response_text(cluster.ask(make_query({.name = "A.example."}))).answer ==
        Lines{"A.example. 60 IN A 192.0.2.1"});
}

TEST_CASE("an answer that is longer by rewriting is cut where it must be, and says so") {
  const std::string label(60, 'x');
  const std::string to = label + "." + label + ".big.example";
  std::vector<dns::Record> records = {
      *dns::record_from_text("big.example. 60 IN SOA ns.big.example. a.big.example. 1 2 3 4 5"),
      *dns::record_from_text("big.example. 60 IN NS ns.big.example.")};
  for (int i = 0; i < 8; ++i) {
    records.push_back(
        *dns::record_from_text("m.big.example. 60 IN MX 1 a" + std::to_string(i) + "." + to + "."));
  }
  const auto zone = zones::Zone::make(*dns::Name::from_text("big.example"), records);
  REQUIRE(zone);
  const auto rules = policy_with({"name m.example m.big.example"}, {});
  TestCluster cluster(default_options(),
                      {std::shared_ptr<const zones::Zone>(zone->get(), [](auto*) {})});
  cluster.set_rules(rules.get());
  const auto query = make_query({.name = "m.example.", .type = RecordType::MX});
  const auto udp = response_text(cluster.ask(query));
  CHECK(udp.flags == "qr aa tc rd");
  CHECK(udp.answer.size() < 8);
  const auto tcp = response_text(cluster.ask(query, Transport::Tcp));
  CHECK(tcp.flags == "qr aa rd");
  CHECK(tcp.answer.size() == 8);
}

std::shared_ptr<const policy::Hosts> hosts_of(const char* text, policy::HostOptions options = {}) {
  policy::HostLines lines;
  lines.read(text, "hosts");
  REQUIRE(lines.problems.empty());
  return std::make_shared<const policy::Hosts>(lines, std::move(options));
}

TEST_CASE("hosts answer names with addresses and addresses with names, before zones") {
  RuledCluster cluster(policy_with({}, {},
                                   hosts_of("10.0.0.10 Db.example db\n"
                                            "10.0.0.11 db.example\n"
                                            "fd00::10 db.example\n"
                                            "192.0.2.9 web.shop.svc.cluster.local\n",
                                            {.ttl = 60})));
  const auto hit = cluster.ask_text("DB.example.");
  CHECK(hit.answer == Lines{"DB.example. 60 IN A 10.0.0.10", "DB.example. 60 IN A 10.0.0.11"});
  CHECK(hit.flags == "qr aa rd");
  CHECK(cluster.ask_text("db.example.", RecordType::AAAA).answer ==
        Lines{"db.example. 60 IN AAAA fd00::10"});
  CHECK(cluster.ask_text("db.").answer == Lines{"db. 60 IN A 10.0.0.10"});
  const auto none = cluster.ask_text("db.", RecordType::AAAA);
  CHECK(none.rcode == "NOERROR");
  CHECK(none.authority.size() == 1);
  CHECK(cluster.ask_text(Web).answer == Lines{std::string(Web) + " 60 IN A 192.0.2.9"});
  CHECK(cluster.ask_text("10.0.0.10.in-addr.arpa.", RecordType::PTR).answer ==
        Lines{"10.0.0.10.in-addr.arpa. 60 IN PTR Db.example.",
              "10.0.0.10.in-addr.arpa. 60 IN PTR db."});
  CHECK(cluster
            .ask_text("0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.",
                      RecordType::PTR)
            .answer.size() == 1);
  CHECK(cluster.ask_text("10.0.0.10.in-addr.arpa.", RecordType::A).rcode == "NOERROR");
  // Nobody's: zones are asked, of which the cluster has the reverse ones.
  CHECK(cluster.ask_text("x.example.").rcode == "REFUSED");
  CHECK(cluster.ask_text("12.0.0.10.in-addr.arpa.", RecordType::PTR).rcode == "NXDOMAIN");
  CHECK(cluster.ask_text("010.0.0.10.in-addr.arpa.", RecordType::PTR).rcode == "NXDOMAIN");
  CHECK(cluster.counters.hosts_answers.value() == 8);
}

TEST_CASE("names of a zone that is the hosts' alone do not exist unless they are there") {
  RuledCluster cluster(
      policy_with({}, {},
                  hosts_of("10.0.0.10 db.example\n",
                           {.has_reverse = false, .zones = {*dns::Name::from_text("example.")}})));
  const auto none = cluster.ask_text("x.y.example.");
  CHECK(none.rcode == "NXDOMAIN");
  CHECK(none.authority == Lines{"example. 60 IN SOA . . 1 7200 1800 86400 60"});
  CHECK(cluster.ask_text("db.example.").answer.size() == 1);
  CHECK(cluster.ask_text("other.").rcode == "REFUSED");
  CHECK(cluster.ask_text("10.0.0.10.in-addr.arpa.", RecordType::PTR).rcode == "NXDOMAIN");
}

TEST_CASE("a zone that is the hosts' alone leaves reverse names to others, unless it is of them") {
  // Of the reverse names, the cluster has those of 10.0.0.0/8.
  RuledCluster root(
      policy_with({}, {}, hosts_of("10.0.0.10 db.example\n", {.zones = {dns::Name()}})));
  CHECK(root.ask_text("x.example.").authority == Lines{". 60 IN SOA . . 1 7200 1800 86400 60"});
  CHECK(root.ask_text("7.0.96.10.in-addr.arpa.", RecordType::PTR).answer ==
        Lines{"7.0.96.10.in-addr.arpa. 5 IN PTR web.shop.svc.cluster.local."});
  RuledCluster reverse(policy_with(
      {}, {},
      hosts_of("10.0.0.10 db.example\n", {.zones = {*dns::Name::from_text("10.in-addr.arpa")}})));
  CHECK(reverse.ask_text("7.0.96.10.in-addr.arpa.", RecordType::PTR).rcode == "NXDOMAIN");
  CHECK(reverse.ask_text("10.0.0.10.in-addr.arpa.", RecordType::PTR).answer.size() == 1);
}

TEST_CASE("a wildcard in hosts stands for one label that has no line of its own") {
  RuledCluster cluster(policy_with({}, {},
                                   hosts_of("10.0.0.10 *.example\n"
                                            "10.0.0.11 a.example\n")));
  CHECK(cluster.ask_text("X.example.").answer == Lines{"X.example. 3600 IN A 10.0.0.10"});
  CHECK(cluster.ask_text("x.example.", RecordType::AAAA).rcode == "NOERROR");
  CHECK(cluster.ask_text("a.example.").answer == Lines{"a.example. 3600 IN A 10.0.0.11"});
  CHECK(cluster.ask_text("y.x.example.").rcode == "REFUSED");
  CHECK(cluster.ask_text("example.").rcode == "REFUSED");
  CHECK(cluster.ask_text("10.0.0.10.in-addr.arpa.", RecordType::PTR).rcode == "NXDOMAIN");
}

TEST_CASE("templates come before hosts, and a name that a template's CNAME leads to may be there") {
  RuledCluster cluster(
      policy_with({},
                  {"A zone t.example match ^x\\. answer '{{ .Name }} 5 IN A 192.0.2.1'",
                   "A zone alias.example answer '{{ .Name }} 7 IN CNAME db.example'"},
                  hosts_of("10.0.0.10 x.t.example y.t.example db.example\n")));
  CHECK(cluster.ask_text("x.t.example.").answer == Lines{"x.t.example. 5 IN A 192.0.2.1"});
  CHECK(cluster.ask_text("y.t.example.").answer == Lines{"y.t.example. 3600 IN A 10.0.0.10"});
  CHECK(cluster.ask_text("a.alias.example.").answer ==
        Lines{"a.alias.example. 7 IN CNAME db.example.", "db.example. 3600 IN A 10.0.0.10"});
}

TEST_CASE("where a CNAME of a zone or an ExternalName leads, hosts come first, too") {
  const auto zone =
      zones::Zone::make(*dns::Name::from_text("z.test"),
                        {*dns::record_from_text("z.test. 60 IN SOA ns.z.test. a.z.test. 1 2 3 4 5"),
                         *dns::record_from_text("z.test. 60 IN NS ns.z.test."),
                         *dns::record_from_text("out.z.test. 60 IN CNAME db.example."),
                         *dns::record_from_text("far.z.test. 60 IN CNAME nobody.test."),
                         *dns::record_from_text("gone.z.test. 60 IN CNAME x.only.example."),
                         *dns::record_from_text("long.z.test. 60 IN CNAME out.z.test."),
                         *dns::record_from_text("in.z.test. 60 IN CNAME both.z.test."),
                         *dns::record_from_text("both.z.test. 60 IN A 192.0.2.1")});
  REQUIRE(zone);
  const auto rules = policy_with({"suffix .w.test .z.test"}, {},
                                 hosts_of("10.0.0.10 db.example\n10.0.0.11 both.z.test\n",
                                          {.zones = {*dns::Name::from_text("only.example")}}));
  TestCluster cluster(default_options(),
                      {std::shared_ptr<const zones::Zone>(zone->get(), [](auto*) {})});
  load_world(cluster.cache, ShopWorld);
  load_world(cluster.cache, R"(
apiVersion: v1
kind: Service
metadata: {name: alias, namespace: shop}
spec: {type: ExternalName, externalName: db.example}
)");
  cluster.set_rules(rules.get());
  const auto ask = [&](const char* name, RecordType type = RecordType::A) {
    return response_text(cluster.ask(make_query({.name = name, .type = type})));
  };
  const std::string db = "db.example. 3600 IN A 10.0.0.10";
  const auto out = ask("out.z.test.");
  CHECK(out.answer == Lines{db, "out.z.test. 60 IN CNAME db.example."});
  CHECK(out.flags == "qr aa rd");
  CHECK(ask("long.z.test.").answer ==
        Lines{db, "long.z.test. 60 IN CNAME out.z.test.", "out.z.test. 60 IN CNAME db.example."});
  CHECK(ask("out.w.test.").answer == Lines{db, "out.w.test. 60 IN CNAME db.example."});
  CHECK(ask("alias.shop.svc.cluster.local.").answer ==
        Lines{"alias.shop.svc.cluster.local. 5 IN CNAME db.example.", db});
  // Differs from CoreDNS: the same as who asks for that name is told.
  CHECK(ask("in.z.test.").answer ==
        Lines{"both.z.test. 3600 IN A 10.0.0.11", "in.z.test. 60 IN CNAME both.z.test."});
  const auto none = ask("out.z.test.", RecordType::AAAA);
  CHECK(none.rcode == "NOERROR");
  CHECK(none.answer == Lines{"out.z.test. 60 IN CNAME db.example."});
  CHECK(none.authority.size() == 1);
  const auto gone = ask("gone.z.test.");
  CHECK(gone.rcode == "NXDOMAIN");
  CHECK(gone.answer == Lines{"gone.z.test. 60 IN CNAME x.only.example."});
  CHECK(ask("far.z.test.").answer == Lines{"far.z.test. 60 IN CNAME nobody.test."});
  CHECK(ask("out.z.test.", RecordType::CNAME).answer ==
        Lines{"out.z.test. 60 IN CNAME db.example."});
  CHECK(cluster.counters.hosts_answers.value() == 0);  // The zones' answers.
}

TEST_CASE("templates answer with parts of the question") {
  RuledCluster cluster(policy_with(
      {},
      {R"(A zone ip.example match ^ip-(?<a>\d+)-(\d+)\.ip\.example\.$ only answer "{{ .Name }} 60 IN A 10.0.{{ .Group.a }}.{{ index .Match 2 }}")",
       "TXT zone t.example answer '{{.Name}} 5 IN TXT \"{{ .Type }} {{ .Class }}\" \"{{ .Zone "
       "}}\"'",
       "SRV zone t.example match ^(\\d+) answer '{{ .Name }} 5 IN SRV 1 2 {{ index .Match 1 }} "
       "h.{{ .Zone }}' additional 'h.{{ .Zone }} 5 IN A 192.0.2.1'",
       "A zone alias.example answer '{{ .Name }} 7 IN CNAME web.shop.svc.cluster.local'",
       "* zone gone.example except web.gone.example rcode NXDOMAIN authority '{{ .Zone }} 9 IN SOA "
       "ns.x. a.x. 1 2 3 4 5'",
       "AAAA zone none.example", "A zone refused.example rcode REFUSED",
       "SOA zone s.example answer '{{ .Zone }} IN 9 SOA ns1.{{ .Zone }} admin.{{ .Zone }} ( 1 60 "
       "120 86400 3600)'",
       "A zone plain.example answer '{{ .Name }} A 192.0.2.1'",
       "MX zone plain.example rcode NXDOMAIN authority 'x. 1 {{ .Class }} SOA a. b. (1 2 3 4 "
       "5)'"}));
  CHECK(cluster.ask_text("IP-1-2.ip.example.").answer ==
        Lines{"IP-1-2.ip.example. 60 IN A 10.0.1.2"});
  const auto only = cluster.ask_text("web.ip.example.");
  CHECK(only.rcode == "NXDOMAIN");
  CHECK(only.authority == Lines{"ip.example. 60 IN SOA . . 1 7200 1800 86400 60"});
  CHECK(cluster.ask_text("ip-1-2.ip.example.", RecordType::MX).rcode == "REFUSED");
  const auto broken = cluster.ask_text("ip-1-256.ip.example.");
  CHECK(broken.rcode == "SERVFAIL");
  CHECK(broken.answer.empty());
  CHECK(cluster.ask_text("a.t.example.", RecordType::TXT).answer ==
        Lines{"a.t.example. 5 IN TXT \"TXT IN\" \"t.example.\""});
  const auto srv = cluster.ask_text("80.t.example.", RecordType::SRV);
  CHECK(srv.answer == Lines{"80.t.example. 5 IN SRV 1 2 80 h.t.example."});
  CHECK(srv.additional == Lines{"h.t.example. 5 IN A 192.0.2.1"});
  CHECK(cluster.ask_text("65536.t.example.", RecordType::SRV).rcode == "SERVFAIL");
  CHECK(cluster.ask_text("x.alias.example.").answer ==
        Lines{"web.shop.svc.cluster.local. 5 IN A 10.96.0.7",
              "x.alias.example. 7 IN CNAME web.shop.svc.cluster.local."});
  const auto gone = cluster.ask_text("x.gone.example.", RecordType::MX);
  CHECK(gone.rcode == "NXDOMAIN");
  CHECK(gone.authority == Lines{"gone.example. 9 IN SOA ns.x. a.x. 1 2 3 4 5"});
  CHECK(cluster.ask_text("x.web.gone.example.", RecordType::MX).rcode == "REFUSED");
  const auto none = cluster.ask_text("x.none.example.", RecordType::AAAA);
  CHECK(none.rcode == "NOERROR");
  CHECK(none.authority == Lines{"none.example. 60 IN SOA . . 1 7200 1800 86400 60"});
  CHECK(cluster.ask_text("x.refused.example.").rcode == "REFUSED");
  CHECK(cluster.ask_text("x.s.example.", RecordType::SOA).answer ==
        Lines{"s.example. 9 IN SOA ns1.s.example. admin.s.example. 1 60 120 86400 3600"});
  CHECK(cluster.ask_text("x.plain.example.").answer ==
        Lines{"x.plain.example. 3600 IN A 192.0.2.1"});
  CHECK(cluster.ask_text("plain.example.", RecordType::MX).authority ==
        Lines{"x. 1 IN SOA a. b. 1 2 3 4 5"});
  CHECK(cluster.counters.template_failures.value() == 2);
  CHECK(cluster.counters.template_answers.value() == 11);
}

TEST_CASE("a template and hosts answer rewritten names, as those that were asked for") {
  RuledCluster cluster(policy_with({"suffix .alias .example"},
                                   {"TXT answer '{{ .Name }} 1 IN TXT x'"},
                                   hosts_of("10.0.0.10 db.example\n")));
  CHECK(cluster.ask_text("db.alias.").answer == Lines{"db.alias. 3600 IN A 10.0.0.10"});
  CHECK(cluster.ask_text("x.alias.", RecordType::TXT).answer == Lines{"x.alias. 1 IN TXT \"x\""});
}

}  // namespace
}  // namespace waypost::test
