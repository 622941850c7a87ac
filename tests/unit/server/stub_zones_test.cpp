// Names that are asked elsewhere although a zone here is above them.

#include "resolver/answer_cache.h"
#include "server/responder.h"
#include "support/cluster.h"
#include "support/dns_text.h"
#include "zones/zone_loader.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace waypost::test {
namespace {

using dns::RecordType;

std::vector<dns::Name> names(const std::vector<const char*>& texts) {
  std::vector<dns::Name> names;
  for (const char* text : texts) {
    names.push_back(*dns::Name::from_text(text));
  }
  return names;
}

records::Options falling_through(const std::vector<const char*>& zones) {
  records::Options options = default_options();
  options.fallthrough_zones = names(zones);
  return options;
}

// Of the cluster.
enum class State { Known, Unknown };

// The built-in zones, and one Service at 10.96.0.7.
struct Fixture {
  explicit Fixture(const std::vector<const char*>& stubs,
                   const records::Options& options = default_options(), State state = State::Known)
      : publisher(options, cache, retired),
        zones(zones::load_zones({}, true, nullptr, names(stubs)).zones),
        responder(views, counters, 1) {
    views.index = &publisher.index();
    views.policy = &policy;
    views.zones = zones.get();
    views.answers = &answers;
    load_world(cache, ShopWorld);
    if (state == State::Known) {
      cache.set_synced();
    }
  }

  // "elsewhere", or what is said here: "NXDOMAIN aa".
  std::string ask(const std::string& name, RecordType type = RecordType::A) {
    std::vector<std::uint8_t> out(512);
    const auto request = make_query({.name = name, .type = type});
    const server::Reply reply = responder.respond(request, {}, out);
    if (reply.resolve) {
      CHECK(dns::Name::from_wire(responder.elsewhere().name.wire())->to_text() == name);
      return "elsewhere";
    }
    out.resize(reply.size);
    const ResponseText text = response_text(out);
    authority = text.authority;
    return text.rcode + (text.flags.find("aa") != std::string::npos ? " aa" : "");
  }

  std::vector<std::string> authority;  // Of the last answer.
  cache::ServiceCache cache;
  rcu::RetireList retired;
  records::Publisher publisher;
  server::AnswerPolicy policy;
  std::unique_ptr<const zones::ZoneSet> zones;
  resolver::AnswerCache answers{1 << 20};
  server::Views views;
  server::Counters counters;
  server::Responder responder;
};

}  // namespace

TEST_CASE("a stub domain has the names of a built-in zone, but for those of the cluster") {
  Fixture with({"10.in-addr.arpa", "1.168.192.in-addr.arpa", "corp.test", "localhost"});
  for (const auto& [name, expected] : std::vector<std::pair<std::string, std::string>>{
           {"9.9.9.10.in-addr.arpa.", "elsewhere"},
           {"8.0.96.10.in-addr.arpa.", "elsewhere"},
           {"7.0.96.10.in-addr.arpa.", "NOERROR aa"},
           {"0.96.10.in-addr.arpa.", "NOERROR aa"},  // Above a name of the cluster.
           {"5.1.168.192.in-addr.arpa.", "elsewhere"},
           {"5.2.168.192.in-addr.arpa.", "NXDOMAIN aa"},
           {"8.8.8.8.in-addr.arpa.", "NXDOMAIN aa"},
           {"www.corp.test.", "elsewhere"},
           {"www.test.", "NXDOMAIN aa"},
           {"localhost.", "elsewhere"},
           {"a.localhost.", "elsewhere"},
           {"1.0.0.127.in-addr.arpa.", "NOERROR aa"},
       }) {
    CAPTURE(name);
    CHECK(with.ask(name, RecordType::PTR) == expected);
  }
}

TEST_CASE("a reverse name that may become the cluster's is denied for as long as its names are") {
  Fixture with({});
  for (const std::string name :
       {"8.0.96.10.in-addr.arpa.", "1.1.96.10.in-addr.arpa.", "1.0.0.d.f.ip6.arpa."}) {
    CAPTURE(name);
    CHECK(with.ask(name, RecordType::PTR) == "NXDOMAIN aa");
    REQUIRE(with.authority.size() == 1);
    CHECK(with.authority[0].find("arpa. 5 IN SOA ") != std::string::npos);
  }
  CHECK(with.ask("10.in-addr.arpa.", RecordType::SOA) == "NOERROR aa");
  CHECK(with.ask("1.2.0.192.in-addr.arpa.", RecordType::PTR) == "NXDOMAIN aa");
  CHECK(with.authority[0].find("10800 IN SOA") != std::string::npos);
}

TEST_CASE("a stub domain of all reverse names has those that the cluster lacks") {
  Fixture with({"in-addr.arpa"});
  CHECK(with.ask("7.0.96.10.in-addr.arpa.", RecordType::PTR) == "NOERROR aa");
  CHECK(with.ask("8.0.96.10.in-addr.arpa.", RecordType::PTR) == "elsewhere");
  CHECK(with.ask("8.8.8.8.in-addr.arpa.", RecordType::PTR) == "elsewhere");
  CHECK(with.ask("in-addr.arpa.", RecordType::SOA) == "NOERROR aa");
  CHECK(with.ask("1.0.0.d.f.ip6.arpa.", RecordType::PTR) == "NXDOMAIN aa");
}

TEST_CASE("reverse names that fall through do so past the empty zones") {
  Fixture with({}, falling_through({"in-addr.arpa"}));
  CHECK(with.ask("7.0.96.10.in-addr.arpa.", RecordType::PTR) == "NOERROR aa");
  CHECK(with.ask("8.0.96.10.in-addr.arpa.", RecordType::PTR) == "elsewhere");
  CHECK(with.ask("8.8.8.8.in-addr.arpa.", RecordType::PTR) == "elsewhere");
  CHECK(with.ask("168.192.in-addr.arpa.", RecordType::SOA) == "elsewhere");
  CHECK(with.ask("1.0.0.127.in-addr.arpa.", RecordType::PTR) == "NOERROR aa");
  CHECK(with.ask("1.0.0.d.f.ip6.arpa.", RecordType::PTR) == "NXDOMAIN aa");

  with.views.answers = nullptr;
  CHECK(with.ask("8.0.96.10.in-addr.arpa.", RecordType::PTR) == "NXDOMAIN aa");
}

TEST_CASE("a stub domain within the cluster's zone has its names") {
  Fixture with({"my.cluster.local", "other.svc.cluster.local", "local"});
  CHECK(with.ask("my.cluster.local.") == "elsewhere");
  CHECK(with.ask("www.my.cluster.local.") == "elsewhere");
  CHECK(with.ask("db.other.svc.cluster.local.") == "elsewhere");
  CHECK(with.ask("web.shop.svc.cluster.local.") == "NOERROR aa");
  CHECK(with.ask("www.cluster.local.") == "NXDOMAIN aa");
  CHECK(with.ask("www.local.") == "elsewhere");
}

TEST_CASE("what falls through below the cluster's zone is asked elsewhere, the rest is not") {
  Fixture with(
      {}, falling_through({"my.cluster.local", "shop.svc.cluster.local", "20.10.in-addr.arpa"}));
  CHECK(with.ask("www.my.cluster.local.") == "elsewhere");
  CHECK(with.ask("web.shop.svc.cluster.local.") == "NOERROR aa");
  CHECK(with.ask("none.shop.svc.cluster.local.") == "elsewhere");
  CHECK(with.ask("none.other.svc.cluster.local.") == "NXDOMAIN aa");
  CHECK(with.ask("www.cluster.local.") == "NXDOMAIN aa");
  CHECK(with.ask("1.1.20.10.in-addr.arpa.", RecordType::PTR) == "elsewhere");
  CHECK(with.ask("1.1.21.10.in-addr.arpa.", RecordType::PTR) == "NXDOMAIN aa");
}

TEST_CASE("before the cluster is known, what falls through and cannot be its is asked elsewhere") {
  records::Options options = falling_through({"in-addr.arpa", "ip6.arpa", "cluster.local"});
  options.service_cidrs = {*IpPrefix::from_text("34.118.224.0/20")};
  Fixture with({"168.192.in-addr.arpa", "my.cluster.local"}, options, State::Unknown);
  for (const auto& [name, expected] : std::vector<std::pair<std::string, std::string>>{
           {"8.8.8.8.in-addr.arpa.", "elsewhere"},
           {"8.in-addr.arpa.", "elsewhere"},
           {"a.b.8.8.in-addr.arpa.", "elsewhere"},
           {"1.2.168.192.in-addr.arpa.", "SERVFAIL"},
           {"7.0.96.10.in-addr.arpa.", "SERVFAIL"},
           {"1.0.15.172.in-addr.arpa.", "elsewhere"},
           {"1.0.16.172.in-addr.arpa.", "SERVFAIL"},
           {"1.0.31.172.in-addr.arpa.", "SERVFAIL"},
           {"172.in-addr.arpa.", "SERVFAIL"},  // Some of it may be.
           {"1.0.64.100.in-addr.arpa.", "SERVFAIL"},
           {"1.0.128.100.in-addr.arpa.", "elsewhere"},
           {"1.0.18.198.in-addr.arpa.", "SERVFAIL"},
           {"1.0.0.240.in-addr.arpa.", "SERVFAIL"},
           {"1.239.118.34.in-addr.arpa.", "SERVFAIL"},
           {"1.240.118.34.in-addr.arpa.", "elsewhere"},
           {"in-addr.arpa.", "SERVFAIL"},
           {"1.0.d.f.ip6.arpa.", "SERVFAIL"},
           {"f.ip6.arpa.", "SERVFAIL"},
           {"0.0.7.4.1.0.0.2.ip6.arpa.", "elsewhere"},
           {"1.0.0.127.in-addr.arpa.", "NOERROR aa"},
           {"web.shop.svc.cluster.local.", "SERVFAIL"},
           {"10-1-2-3.shop.pod.cluster.local.", "SERVFAIL"},
           {"ns.dns.cluster.local.", "SERVFAIL"},
           {"dns-version.cluster.local.", "SERVFAIL"},
           {"cluster.local.", "SERVFAIL"},
           {"www.cluster.local.", "elsewhere"},
           {"www.my.cluster.local.", "elsewhere"},
       }) {
    CAPTURE(name);
    CHECK(with.ask(name, RecordType::PTR) == expected);
  }
  with.cache.set_synced();
  CHECK(with.ask("7.0.96.10.in-addr.arpa.", RecordType::PTR) == "NOERROR aa");
  CHECK(with.ask("8.0.96.10.in-addr.arpa.", RecordType::PTR) == "elsewhere");
  CHECK(with.ask("1.2.168.192.in-addr.arpa.", RecordType::PTR) == "elsewhere");
}

TEST_CASE("before the cluster is known, nothing is denied that may be its") {
  Fixture with({}, default_options(), State::Unknown);
  CHECK(with.ask("7.0.96.10.in-addr.arpa.", RecordType::PTR) == "SERVFAIL");
  CHECK(with.ask("8.8.8.8.in-addr.arpa.", RecordType::PTR) == "SERVFAIL");
  CHECK(with.ask("www.cluster.local.") == "SERVFAIL");
  CHECK(with.ask("1.2.0.192.in-addr.arpa.", RecordType::PTR) == "NXDOMAIN aa");

  records::Options part = falling_through({"in-addr.arpa"});
  part.reverse_zones = {*dns::Name::from_text("34.in-addr.arpa")};
  Fixture chosen({}, part, State::Unknown);
  CHECK(chosen.ask("1.2.3.34.in-addr.arpa.", RecordType::PTR) == "SERVFAIL");
}

}  // namespace waypost::test
