// Names that are asked elsewhere although a zone here is above them.

#include "resolver/answer_cache.h"
#include "server/responder.h"
#include "support/cluster.h"
#include "support/dns_text.h"
#include "zones/zone_loader.h"

#include <doctest/doctest.h>

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

// The built-in zones, and one Service at 10.96.0.7.
struct Fixture {
  explicit Fixture(const std::vector<const char*>& stubs,
                   const records::Options& options = default_options())
      : cluster(options),
        zones(zones::load_zones({}, true, nullptr, names(stubs)).zones),
        responder(views, counters, 1) {
    load_world(cluster.cache, ShopWorld);
    cluster.lend(views);
    views.zones = zones.get();
    views.answers = &answers;
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
    return text.rcode + (text.flags.find("aa") != std::string::npos ? " aa" : "");
  }

  TestCluster cluster;
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

}  // namespace waypost::test
