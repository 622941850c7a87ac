// Search completion, from a query to the answer, with other servers' answers played by a table.

#include "policy/policy.h"
#include "search/pod_directory.h"
#include "server/responder.h"
#include "support/cluster.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace waypost::test {
namespace {

using dns::RecordType;
using server::SearchOutcome;

constexpr const char* World = R"(
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: other}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.7, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: other}
spec: {clusterIP: 10.96.0.8, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: six, namespace: other}
spec: {clusterIP: "fd00::6", ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: away, namespace: other}
spec: {type: ExternalName, externalName: www.example.org}
)";

// How another server answers for a name; what is not in the table does not exist.
struct Outside {
  bool v4 = false;
  bool v6 = false;
  bool fails = false;
  bool refuses = false;
  bool is_denied = false;  // NXDOMAIN for the family that it has not, as broken servers say.
  std::uint32_t ttl = 60;  // 0: nothing of it is kept.
};

std::vector<std::uint8_t> message(const resolver::Question& question, const Outside* name) {
  const auto text = dns::Name::from_wire(question.name.wire())->to_text();
  auto packet = make_query({.name = text, .type = question.type});
  const bool is_v4 = question.type == RecordType::A;
  const bool has_records = name != nullptr && (is_v4 ? name->v4 : name->v6);
  const bool exists = name != nullptr && (has_records || !name->is_denied);
  const std::uint8_t ttl = static_cast<std::uint8_t>(name == nullptr ? 60 : name->ttl);
  packet[2] |= 0x80;
  packet[3] = exists ? 0 : 3;
  std::vector<std::uint8_t> record;
  if (has_records) {
    packet[7] = 1;
    record = {0xc0, 12,  0, static_cast<std::uint8_t>(is_v4 ? 1 : 28), 0, 1, 0, 0,
              0,    ttl, 0, static_cast<std::uint8_t>(is_v4 ? 4 : 16)};
    record.resize(record.size() + (is_v4 ? 4 : 16), 9);
  } else {
    packet[9] = 1;  // The root's SOA.
    record = {0, 0, 6, 0, 1, 0, 0, 0, ttl, 0, 22, 0, 0};
    record.resize(record.size() + 20, 0);
    record.back() = ttl;
  }
  packet.insert(packet.end(), record.begin(), record.end());
  return packet;
}

struct Fixture {
  explicit Fixture(records::Options options = default_options()) : cluster(options) {
    load_world(cluster.cache, World);
    put_pod("shop", "web-0", {"10.244.1.5", "fd00::5"});
    cluster.lend(views);
    views.answers = &answers;
    views.pods = &pods;
  }

  // What a worker makes of a query of the first Pod at that time, in seconds.
  server::Reply respond(const QueryOptions& query, std::uint32_t at, bool is_trial = false) {
    std::vector<std::uint8_t> out(dns::MaxMessageSize);
    return responder.respond(make_query(query),
                             {.address = *IpAddress::from_text("10.244.1.5"),
                              .time = {.uptime = at},
                              .is_trial = is_trial},
                             out);
  }

  void put_pod(const std::string& name_space, const std::string& name,
               const std::vector<const char*>& addresses) {
    kube::Pod pod{
        .key = {name_space, name}, .phase = kube::PodPhase::Running, .search = kube::PodSearch()};
    for (const char* text : addresses) {
      pod.ips.push_back(*IpAddress::from_text(text));
    }
    cluster.cache.put(pod);
  }

  // Asks as recursion does: other servers are asked as long as something is missing.
  std::vector<std::uint8_t> ask(const QueryOptions& query, const char* client = "10.244.1.5",
                                server::Transport transport = server::Transport::Udp) {
    asked.clear();
    const auto request = make_query(query);
    const server::Client who{*IpAddress::from_text(client), transport, {.uptime = uptime}};
    std::vector<std::uint8_t> out(dns::MaxMessageSize);
    server::Reply reply = responder.respond(request, who, out);
    search::WalkProgress progress;
    is_on_worker = !reply.resolve;
    auto response = std::make_unique<dns::Response>();
    for (int round = 0; reply.resolve; ++round) {
      REQUIRE(round < 100);
      const resolver::Question question = responder.elsewhere();
      asked.push_back(question.to_text());
      const auto name = dns::Name::from_wire(question.name.wire())->to_text();
      const auto known = outside.find(name);
      const Outside* const answer = known == outside.end() ? nullptr : &known->second;
      resolver::Resolution resolution{.question = question,
                                      .reason = dns::ExtendedError::NoReachableAuthority,
                                      .text = "nobody answers"};
      if (answer != nullptr && answer->refuses) {
        resolution.rcode = dns::Rcode::Refused;
      } else if (answer == nullptr || !answer->fails) {
        const auto packet = message(question, answer);
        REQUIRE(dns::read_response(packet, *response));
        resolution.answer = answers.store(question, packet, *response, uptime);
        resolution.reason.reset();
      }
      reply = responder.resume(request, who, &resolution, &progress, out);
      if (reply.resolve && responder.elsewhere() != question) {
        reply = responder.resume(request, who, nullptr, &progress, out);
      }
    }
    out.resize(reply.size);
    return out;
  }

  // "NOERROR a. CNAME b.|b. A 9.9.9.9", without the SOA of what is missing.
  std::string answer(const std::string& name, RecordType type = RecordType::A,
                     const char* client = "10.244.1.5") {
    const ResponseText text = response_text(ask({.name = name, .type = type}, client));
    std::string all = text.rcode;
    for (const std::string& record : text.answer) {
      std::string short_record;
      int field = 0;
      for (std::size_t at = 0; at < record.size(); ++field) {
        const std::size_t end = std::min(record.find(' ', at), record.size());
        if (field != 1 && field != 2) {
          short_record += (short_record.empty() ? "" : " ") + record.substr(at, end - at);
        }
        at = end + 1;
      }
      all += (all == text.rcode ? " " : "|") + short_record;
    }
    return all;
  }
  std::uint64_t count(SearchOutcome outcome) const {
    return counters.searches[std::to_underlying(outcome)].value();
  }

  TestCluster cluster;
  rcu::RetireList retired;
  search::PodDirectory pods{
      cluster.cache, {*dns::Name::from_text("cluster.local"), {"host.example"}}, retired};
  resolver::AnswerCache answers{1 << 20};
  server::Views views;
  server::Counters counters;
  server::Responder responder{views, counters, 3};
  std::uint32_t uptime = 1000;
  std::map<std::string, Outside> outside;
  std::vector<std::string> asked;  // Of other servers, for the last query.
  bool is_on_worker = false;       // The last query was answered at once.
};

constexpr Outside Both{.v4 = true, .v6 = true};
const std::string First = ".shop.svc.cluster.local.";

}  // namespace

TEST_CASE("a name is found at each step of the walk, by a CNAME to it") {
  Fixture f;
  f.outside = {{"db.host.example.", Both}, {"www.example.org.", Both}};
  CHECK(f.answer("web" + First) == "NOERROR web.shop.svc.cluster.local. A 10.96.0.7");
  for (const server::Counter& counter : f.counters.searches) {
    CHECK(counter.value() == 0);  // There is nothing to complete.
  }
  CHECK(f.answer("web.other" + First) ==
        "NOERROR web.other.shop.svc.cluster.local. CNAME web.other.svc.cluster.local.|"
        "web.other.svc.cluster.local. A 10.96.0.8");
  CHECK(f.asked.empty());
  CHECK(f.answer("web.other.svc" + First) ==
        "NOERROR web.other.svc.cluster.local. A 10.96.0.8|"
        "web.other.svc.shop.svc.cluster.local. CNAME web.other.svc.cluster.local.");
  CHECK(f.answer("db" + First) ==
        "NOERROR db.host.example. A 9.9.9.9|db.shop.svc.cluster.local. CNAME db.host.example.");
  CHECK(f.answer("www.example.org" + First) ==
        "NOERROR www.example.org. A 9.9.9.9|"
        "www.example.org.shop.svc.cluster.local. CNAME www.example.org.");
  CHECK(f.count(SearchOutcome::InCluster) == 2);
  CHECK(f.count(SearchOutcome::InHostDomain) == 1);
  CHECK(f.count(SearchOutcome::AsGiven) == 1);
}

TEST_CASE("an answer that is at hand is given at once, with the case and the TTLs that it has") {
  Fixture f;
  f.outside = {{"www.example.org.", Both}};
  f.ask({.name = "www.example.org" + First});
  CHECK_FALSE(f.is_on_worker);
  CHECK(f.asked ==
        std::vector<std::string>{"www.example.org.host.example. A", "www.example.org. A"});
  f.uptime += 20;
  const ResponseText again =
      response_text(f.ask({.name = "wWw.example.ORG.shop.SVC.cluster.local."}));
  CHECK(f.is_on_worker);
  CHECK(again.flags == "qr aa rd ra");
  CHECK(again.answer == std::vector<std::string>{
                            "wWw.example.ORG. 40 IN A 9.9.9.9",
                            "wWw.example.ORG.shop.SVC.cluster.local. 5 IN CNAME wWw.example.ORG."});
}

TEST_CASE("A and AAAA have the same verdict, whichever is asked first") {
  struct Case {
    const char* name;
    Outside outside;
    bool v4;
    bool v6;
  };
  for (const Case& c : {Case{"four.example.", {.v4 = true}, true, false},
                        Case{"six.example.", {.v6 = true}, false, true},
                        Case{"both.example.", {.v4 = true, .v6 = true}, true, true},
                        // What is not kept is asked for as often as it takes.
                        Case{"brief.example.", {.v4 = true, .ttl = 0}, true, false},
                        Case{"brief6.example.", {.v6 = true, .ttl = 0}, false, true}}) {
    for (const bool v4_first : {true, false}) {
      CAPTURE(c.name);
      CAPTURE(v4_first);
      Fixture f;
      f.outside = {{c.name, c.outside}};
      const std::string base(c.name, std::string_view(c.name).size() - 1);
      const std::string alias = base + First + " CNAME " + c.name;
      for (const bool is_v4 : {v4_first, !v4_first}) {
        const std::string got = f.answer(base + First, is_v4 ? RecordType::A : RecordType::AAAA);
        CHECK(got.starts_with("NOERROR "));
        CHECK(got.find(alias) != std::string::npos);
        const bool has_address = got.find(is_v4 ? " A " : " AAAA ") != std::string::npos;
        CHECK(has_address == (is_v4 ? c.v4 : c.v6));
      }
    }
  }
}

TEST_CASE("a server that denies a name for one family only does not make the verdicts differ") {
  Fixture f;
  f.outside = {{"odd.example.", {.v4 = true, .is_denied = true}}};
  CHECK(f.answer("odd.example" + First, RecordType::A).starts_with("NOERROR"));
  CHECK(f.answer("odd.example" + First, RecordType::AAAA) ==
        "NOERROR odd.example.shop.svc.cluster.local. CNAME odd.example.");
}

TEST_CASE("of a Service with one family, the other one is NODATA behind the CNAME") {
  Fixture f;
  const std::string alias = "six.other.shop.svc.cluster.local. CNAME six.other.svc.cluster.local.";
  CHECK(f.answer("six.other" + First, RecordType::A) == "NOERROR " + alias);
  CHECK(f.answer("six.other" + First, RecordType::AAAA) ==
        "NOERROR " + alias + "|six.other.svc.cluster.local. AAAA fd00::6");
  // NODATA has the zone's SOA, so that it is kept.
  CHECK(response_text(f.ask({.name = "six.other" + First})).authority.size() == 1);
}

TEST_CASE("a name whose addresses change family meanwhile is found all the time") {
  Fixture f;
  kube::Service service;
  service.key = {"other", "flips"};
  service.headless = true;
  f.cluster.cache.put(service);
  const auto flip = [&](bool to_v4) {
    kube::EndpointSlice slice;
    slice.key = {"other", "flips-a"};
    slice.service_name = "flips";
    slice.add({.address = *IpAddress::from_text(to_v4 ? "10.0.0.1" : "fd00::1")}, "", "");
    f.cluster.cache.put(slice);
  };
  flip(true);
  std::atomic<bool> is_over{false};
  std::size_t missed = 0;
  std::thread reader([&] {
    const rcu::ReaderThread registered;
    std::vector<std::uint8_t> out(dns::MaxMessageSize);
    const server::Client who{.address = *IpAddress::from_text("10.244.1.5")};
    const auto a = make_query({.name = "flips.other" + First});
    const auto aaaa = make_query({.name = "flips.other" + First, .type = RecordType::AAAA});
    for (unsigned round = 0; round < 20'000; ++round) {
      for (const auto* request : {&a, &aaaa}) {
        const rcu::ReadSection section;
        // Otherwise other servers are asked for later names of the walk.
        missed += f.responder.respond(*request, who, out).resolve ? 1U : 0U;
      }
    }
    is_over = true;
  });
  for (unsigned round = 0; !is_over; ++round) {
    flip(round % 2 != 0);
  }
  reader.join();
  CHECK(missed == 0);
}

TEST_CASE("names without addresses are passed over, and what is nowhere is NXDOMAIN") {
  Fixture f;
  // "shop" is a namespace below svc.cluster.local, which has no addresses; glibc goes on as well.
  f.outside = {{"shop.host.example.", Both}, {"bare.host.example.", {}}};
  CHECK(f.answer("shop" + First).find("CNAME shop.host.example.") != std::string::npos);
  for (const char* name : {"bare", "nobody", "nobody.example.org"}) {
    CAPTURE(name);
    for (const RecordType type : {RecordType::A, RecordType::AAAA}) {
      CHECK(f.answer(name + First, type) == "NXDOMAIN");
    }
  }
  CHECK(f.count(SearchOutcome::Nowhere) == 6);
}

TEST_CASE("an ExternalName is followed from where the walk leads") {
  Fixture f;
  f.outside = {{"www.example.org.", Both}};
  CHECK(f.answer("away.other" + First) ==
        "NOERROR away.other.shop.svc.cluster.local. CNAME away.other.svc.cluster.local.|"
        "away.other.svc.cluster.local. CNAME www.example.org.|www.example.org. A 9.9.9.9");
}

TEST_CASE("what cannot be told is SERVFAIL, and no later name is taken for it") {
  Fixture f;
  f.outside = {{"db.host.example.", {.fails = true}}, {"db.", Both}};
  for (const RecordType type : {RecordType::A, RecordType::AAAA}) {
    const ResponseText text =
        response_text(f.ask({.name = "db" + First, .type = type, .edns = true}));
    CHECK(text.rcode == "SERVFAIL");
    CHECK(text.answer.empty());
    CHECK(text.flags == "qr rd ra");
    CHECK(to_text(text).find("0016") != std::string::npos);  // No reachable authority.
  }
  CHECK(f.count(SearchOutcome::Failed) == 2);
  // Also where only the other family cannot be told.
  f.outside = {{"half.host.example.", {}}};
  f.ask({.name = "half" + First, .type = RecordType::A});
  CHECK(f.asked.size() == 3);
  f.outside = {{"web.", {.fails = true}}};
  CHECK(f.answer("web.other" + First).starts_with("NOERROR"));
}

TEST_CASE("where nobody may be asked, the Pod finds that out for itself") {
  Fixture f;
  f.outside = {{"db.host.example.", {.refuses = true}}};
  CHECK(f.answer("db" + First) == "NXDOMAIN");
  f.views.answers = nullptr;
  CHECK(f.answer("www.example.org" + First) == "NXDOMAIN");
  CHECK(f.answer("web.other" + First).starts_with("NOERROR"));
}

TEST_CASE("names of the cluster in full are found without anybody else") {
  Fixture f;
  f.outside = {{"web.other.svc.cluster.local.host.example.", {.fails = true}}};
  CHECK(f.answer("web.other.svc.cluster.local" + First).starts_with("NOERROR"));
  CHECK(f.asked.empty());
  CHECK(f.count(SearchOutcome::AsGiven) == 1);
}

TEST_CASE("a name that is asked elsewhere when the cluster lacks it is asked for first") {
  records::Options options = default_options();
  options.fallthrough_zones = {*dns::Name::from_text("cluster.local")};
  Fixture f(options);
  f.outside = {{"old.shop.svc.cluster.local.", Both}, {"www.example.org.", Both}};
  CHECK(f.answer("old" + First) == "NOERROR old.shop.svc.cluster.local. A 9.9.9.9");
  CHECK(f.answer("www.example.org" + First).find("CNAME www.example.org.") != std::string::npos);
  CHECK(f.answer("nobody" + First) == "NXDOMAIN");
}

TEST_CASE("a CNAME of ours is authoritative, wherever it leads; what is asked elsewhere is not") {
  records::Options options = default_options();
  options.fallthrough_zones = {*dns::Name::from_text("cluster.local")};
  Fixture f(options);
  f.outside = {{"old.shop.svc.cluster.local.", Both}};
  policy::Options made;
  made.templates.push_back(*policy::TemplateRule::from_text(
      "A zone alias.example answer '{{ .Name }} 7 IN CNAME old.shop.svc.cluster.local'"));
  const auto rules = policy::Policy::make(made, nullptr, nullptr, 1, 1);
  f.views.rules = rules.get();
  const ResponseText alias = response_text(f.ask({.name = "a.alias.example."}));
  CHECK(alias.flags == "qr aa rd ra");
  CHECK(alias.answer ==
        std::vector<std::string>{"a.alias.example. 7 IN CNAME old.shop.svc.cluster.local.",
                                 "old.shop.svc.cluster.local. 60 IN A 9.9.9.9"});
  CHECK(response_text(f.ask({.name = "old.shop.svc.cluster.local."})).flags == "qr rd ra");
}

TEST_CASE("a rule about a name is not got round by completion") {
  Fixture f;
  f.outside = {{"www.evil.example.", Both}, {"www.good.example.", Both}};
  policy::Options options;
  options.access.push_back(*policy::AccessRule::from_text("allow zone good.example"));
  options.access.push_back(*policy::AccessRule::from_text("block type A zone evil.example"));
  const auto rules = policy::Policy::make(options, nullptr, nullptr, 1, 1);
  f.views.rules = rules.get();
  for (const RecordType type : {RecordType::A, RecordType::AAAA}) {
    CHECK(f.answer("www.evil.example" + First, type) == "NXDOMAIN");
    CHECK(f.answer("www.good.example" + First, type).find("CNAME www.good.example.") !=
          std::string::npos);
  }
  CHECK(f.count(SearchOutcome::Nowhere) == 2);
}

TEST_CASE("what rewrites, hosts or templates answer is left to the client to ask for") {
  Fixture f;
  f.outside = {{"www.good.example.", Both},
               {"www.renamed.example.", Both},
               {"www.made.example.", Both},
               {"www.local.example.", Both}};
  policy::Options options;
  options.rewrites.push_back(*policy::RewriteRule::from_text("suffix .renamed.example .x"));
  options.templates.push_back(
      *policy::TemplateRule::from_text("AAAA zone made.example match ^www rcode NXDOMAIN"));
  policy::HostLines lines;
  lines.read("10.0.0.1 www.local.example", "hosts");
  const auto rules = policy::Policy::make(
      options, std::make_shared<const policy::Hosts>(lines, policy::HostOptions()), nullptr, 1, 1);
  f.views.rules = rules.get();
  for (const char* name : {"www.renamed.example", "www.made.example", "www.local.example"}) {
    CAPTURE(name);
    CHECK(f.answer(name + First) == "NXDOMAIN");
  }
  CHECK(f.answer("www.good.example" + First).find("CNAME www.good.example.") != std::string::npos);
}

TEST_CASE("of a family that nobody can use, no other server is asked") {
  Fixture f;
  server::AnswerPolicy policy;
  policy.unusable = RecordType::AAAA;
  f.views.policy = &policy;
  f.outside = {{"www.example.org.", Both}, {"six.example.org.", {.v6 = true}}};
  CHECK(f.answer("www.example.org" + First, RecordType::AAAA) ==
        "NOERROR www.example.org.shop.svc.cluster.local. CNAME www.example.org.");
  CHECK(f.asked ==
        std::vector<std::string>{"www.example.org.host.example. A", "www.example.org. A"});
  CHECK(f.answer("www.example.org" + First).starts_with("NOERROR"));
  for (const RecordType type : {RecordType::A, RecordType::AAAA}) {
    CHECK(f.answer("six.example.org" + First, type) == "NXDOMAIN");
  }
}

TEST_CASE("nothing is completed in doubt, and each reason is counted") {
  Fixture f;
  f.outside = {{"www.example.org.", Both}};
  f.put_pod("other", "twin-0", {"10.244.1.6"});
  f.put_pod("shop", "twin-1", {"10.244.1.6"});
  kube::Pod own{.key = {"shop", "own"},
                .ips = {*IpAddress::from_text("10.244.1.7")},
                .phase = kube::PodPhase::Running,
                .search = kube::PodSearch{.policy = kube::DnsPolicy::Default}};
  f.cluster.cache.put(own);
  kube::Pod host{.key = {"shop", "host"},
                 .ips = {*IpAddress::from_text("10.244.1.8")},
                 .phase = kube::PodPhase::Running,
                 .search = kube::PodSearch{.host_network = true}};
  f.cluster.cache.put(host);
  struct Case {
    const char* client;
    const char* name;
    SearchOutcome outcome;
  };
  for (const Case& c :
       {Case{"10.244.1.9", "www.example.org.shop.svc.cluster.local.",
             SearchOutcome::UnknownAddress},
        Case{"10.244.1.8", "www.example.org.shop.svc.cluster.local.", SearchOutcome::HostNetwork},
        Case{"10.244.1.6", "www.example.org.shop.svc.cluster.local.", SearchOutcome::SharedAddress},
        Case{"10.244.1.7", "www.example.org.shop.svc.cluster.local.", SearchOutcome::OtherList},
        Case{"10.244.1.5", "www.example.org.other.svc.cluster.local.",
             SearchOutcome::OtherNamespace},
        Case{"10.244.1.5", "a.b.c.d.e.www.shop.svc.cluster.local.", SearchOutcome::Dotted}}) {
    CAPTURE(c.client);
    CAPTURE(c.name);
    CHECK(f.answer(c.name, RecordType::A, c.client) == "NXDOMAIN");
    CHECK(f.asked.empty());
    CHECK(f.count(c.outcome) == 1);
  }
  // The same Pod by its other address.
  CHECK(f.answer("www.example.org" + First, RecordType::A, "fd00::5").starts_with("NOERROR"));
}

TEST_CASE("other types, other places and queries without recursion are left as they are") {
  Fixture f;
  f.outside = {{"www.example.org.", Both}};
  for (const QueryOptions& query :
       {QueryOptions{.name = "www.example.org" + First, .type = RecordType::TXT},
        QueryOptions{.name = "www.example.org" + First, .type = RecordType::SRV},
        QueryOptions{.name = "www.example.org" + First, .recursion_desired = false},
        QueryOptions{.name = "www.example.org.svc.cluster.local."},
        QueryOptions{.name = "www.example.org.cluster.local."},
        QueryOptions{.name = "10-0-0-1.shop.pod.cluster.local."}}) {
    CAPTURE(query.name);
    CHECK(response_text(f.ask(query)).rcode == "NXDOMAIN");
    CHECK(f.asked.empty());
  }
  f.views.pods = nullptr;
  CHECK(f.answer("www.example.org" + First) == "NXDOMAIN");
  for (const server::Counter& counter : f.counters.searches) {
    CHECK(counter.value() <= 1);  // An absent name of svc.cluster.local is another namespace's.
  }
}

TEST_CASE("DO is answered from what was asked with DO, and EDNS stays what it is") {
  Fixture f;
  f.outside = {{"www.example.org.", Both}};
  const ResponseText text =
      response_text(f.ask({.name = "www.example.org" + First, .edns = true, .dnssec_ok = true}));
  CHECK(text.rcode == "NOERROR");
  CHECK(text.edns);
  CHECK(text.dnssec_ok);
  f.ask({.name = "www.example.org" + First});
  CHECK(f.asked.size() == 2);
}

TEST_CASE("an answer that does not fit is cut behind its CNAME, and whole over TCP") {
  Fixture f;
  kube::Service service;
  service.key = {"other", "many"};
  service.headless = true;
  f.cluster.cache.put(service);
  kube::EndpointSlice slice;
  slice.key = {"other", "many-a"};
  slice.service_name = "many";
  for (unsigned i = 1; i < 200; ++i) {
    slice.add({.address = IpAddress::v4(10, 244, 9, static_cast<std::uint8_t>(i))}, "", "");
  }
  f.cluster.cache.put(slice);
  const QueryOptions query{.name = "many.other" + First};
  const auto cut = f.ask(query);
  CHECK(cut.size() <= 512);
  const ResponseText text = response_text(cut);
  CHECK(text.flags == "qr aa tc rd ra");
  CHECK(text.answer.size() > 20);
  const ResponseText whole = response_text(f.ask(query, "10.244.1.5", server::Transport::Tcp));
  CHECK(whole.flags == "qr aa rd ra");
  CHECK(whole.answer.size() == 200);
}

TEST_CASE("that a popular answer is worth being asked for again is told once") {
  Fixture f;
  f.outside = {{"www.example.org.", Both}};
  CHECK(f.answer("www.example.org.").starts_with("NOERROR"));
  const auto reply = [&](std::uint32_t uptime) {
    return f.respond({.name = "www.example.org."}, uptime);
  };
  for (int i = 0; i < 5; ++i) {
    CHECK_FALSE(reply(1010).refresh);
  }
  CHECK_FALSE(f.respond({.name = "www.example.org."}, 1056, true).refresh);  // Only looks.
  REQUIRE(reply(1056).refresh);
  CHECK(f.responder.elsewhere().to_text() == "www.example.org. A");
  CHECK_FALSE(reply(1056).refresh);  // Once.
}

TEST_CASE("what completed answers are made of is asked for again while it is popular, all of it") {
  Fixture f;
  f.outside = {{"www.example.org.", Both}};
  const QueryOptions query{.name = "www.example.org" + First};
  f.ask(query);
  const auto reply = [&](std::uint32_t uptime) { return f.respond(query, uptime); };
  for (int i = 0; i < 5; ++i) {
    CHECK_FALSE(reply(1010).refresh);
  }
  // One with each query: there is one place to note it.
  REQUIRE(reply(1056).refresh);
  CHECK(f.responder.elsewhere().to_text() == "www.example.org.host.example. A");
  const auto step = *dns::Name::from_text("www.example.org.host.example");
  dns::NameKey key;
  key.assign(step.wire());
  REQUIRE(f.answers.flush(key, false) == 1);
  // Who has to ask for something else first leaves it to the next one.
  CHECK(reply(1056).resolve);
  f.uptime = 1056;
  f.ask({.name = "www.example.org.host.example."});
  REQUIRE(reply(1056).refresh);
  CHECK(f.responder.elsewhere().to_text() == "www.example.org. A");
  CHECK_FALSE(reply(1056).refresh);
}

TEST_CASE("a Pod that changes while other servers are asked is answered by its new list") {
  Fixture f;
  f.outside = {{"www.more.example.", Both}};
  const auto request = make_query({.name = "www" + First});
  const server::Client who{
      *IpAddress::from_text("10.244.1.5"), server::Transport::Udp, {.uptime = 1000}};
  std::vector<std::uint8_t> out(dns::MaxMessageSize);
  search::WalkProgress progress;
  REQUIRE(f.responder.respond(request, who, out).resolve);
  const resolver::Question question = f.responder.elsewhere();
  CHECK(question.to_text() == "www.host.example. A");
  f.pods.set_surroundings({*dns::Name::from_text("cluster.local"), {"more.example"}});
  auto response = std::make_unique<dns::Response>();
  const auto packet = message(question, nullptr);
  REQUIRE(dns::read_response(packet, *response));
  const resolver::Resolution resolution{
      .question = question, .answer = f.answers.store(question, packet, *response, 1000)};
  REQUIRE(f.responder.resume(request, who, &resolution, &progress, out).resolve);
  CHECK(f.responder.elsewhere().to_text() == "www.more.example. A");
}

}  // namespace waypost::test
