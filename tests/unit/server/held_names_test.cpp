// Search completion on a node: names that wait for their rules (cache/gate.h) are not completed to
// either.

#include "cache/gate.h"
#include "records/publisher.h"
#include "search/pod_directory.h"
#include "server/responder.h"
#include "support/cluster.h"
#include "support/dns_text.h"
#include "zones/zone_set.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

namespace waypost::test {
namespace {

using dns::RecordType;
using server::SearchOutcome;

constexpr const char* Pods = R"(
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: other}
)";

const std::string Direct = "web.other.svc.cluster.local.";
const std::string First = "web.other.shop.svc.cluster.local.";

// A Pod of shop at 10.244.1.5, and what of the world its node's gate has let through.
struct Node {
  Node() {
    load_world(cache, Pods);
    cache.put(kube::Pod{.key = {"shop", "web-0"},
                        .ips = {*IpAddress::from_text("10.244.1.5")},
                        .phase = kube::PodPhase::Running,
                        .search = kube::PodSearch()});
    cache.set_synced();
    gate.open(0);
    views.index = &publisher.index();
    views.zones = &zones;
    views.policy = &policy;
    views.pods = &pods;
  }

  void put(const char* address, std::uint16_t port) {
    kube::Service service;
    service.key = {"other", "web"};
    service.cluster_ips = {*IpAddress::from_text(address)};
    service.ports = {{.name = "http", .port = port}};
    cache.put(service);
    ++changes;
  }
  // The rules of everything that was put so far are in force.
  void open() { gate.open(changes); }

  std::string ask(const std::string& name, RecordType type = RecordType::A) {
    const auto request = make_query({.name = name, .type = type});
    std::vector<std::uint8_t> out(512);
    const server::Client client{.address = *IpAddress::from_text("10.244.1.5")};
    out.resize(responder.respond(request, client, out).size);
    const ResponseText text = response_text(out);
    return text.answer.empty() ? text.rcode : text.answer.front();
  }
  std::uint64_t count(SearchOutcome outcome) const {
    return counters.searches[std::to_underlying(outcome)].value();
  }

  cache::ServiceCache cache;
  cache::Gate gate{cache, std::chrono::seconds(10)};
  std::uint64_t changes = 0;
  rcu::RetireList retired;
  records::Publisher publisher{default_options(), gate, retired};
  search::PodDirectory pods{gate, {*dns::Name::from_text("cluster.local"), {}}, retired};
  zones::ZoneSet zones{{}};
  server::AnswerPolicy policy;
  server::Views views;
  server::Counters counters;
  server::Responder responder{views, counters, 3};
};

}  // namespace

TEST_CASE("a name that waits for its rules is not completed to, and neither is it for AAAA") {
  Node node;
  node.put("10.96.0.8", 80);
  REQUIRE(node.gate.held() == 1);
  for (const RecordType type : {RecordType::A, RecordType::AAAA}) {
    CHECK(node.ask(Direct, type) == "NXDOMAIN");
    CHECK(node.ask(First, type) == "NXDOMAIN");
  }
  CHECK(node.count(SearchOutcome::Nowhere) == 2);

  node.open();
  CHECK(node.ask(Direct) == "web.other.svc.cluster.local. 5 IN A 10.96.0.8");
  CHECK(node.ask(First) == "web.other.shop.svc.cluster.local. 5 IN CNAME " + Direct);
  CHECK(node.ask(First, RecordType::AAAA) ==
        "web.other.shop.svc.cluster.local. 5 IN CNAME " + Direct);
  CHECK(node.count(SearchOutcome::InCluster) == 2);
}

TEST_CASE("a completed answer has the address that a direct one has, while another one waits") {
  Node node;
  node.put("10.96.0.8", 80);
  node.open();
  node.put("10.96.0.8", 8080);  // Shown as it was.
  REQUIRE(node.gate.held() == 1);
  CHECK(node.ask(First).find("CNAME " + Direct) != std::string::npos);
  node.put("10.96.0.9", 8080);  // The old address is not its own any more.
  CHECK(node.ask(Direct) == "NXDOMAIN");
  CHECK(node.ask(First) == "NXDOMAIN");
  node.open();
  CHECK(node.ask(Direct) == "web.other.svc.cluster.local. 5 IN A 10.96.0.9");
  CHECK(node.ask(First).find("CNAME " + Direct) != std::string::npos);
}

TEST_CASE("Pods come and go without waiting") {
  Node node;
  node.put("10.96.0.8", 80);
  node.open();
  node.put("10.96.0.8", 8080);  // Something waits.
  kube::Pod twin{.key = {"other", "twin"},
                 .ips = {*IpAddress::from_text("10.244.1.5")},
                 .phase = kube::PodPhase::Running,
                 .search = kube::PodSearch()};
  node.cache.put(twin);
  CHECK(node.ask(First) == "NXDOMAIN");
  CHECK(node.count(SearchOutcome::SharedAddress) == 1);
  node.cache.erase_pod(twin.key);
  CHECK(node.ask(First).find("CNAME " + Direct) != std::string::npos);
}

}  // namespace waypost::test
