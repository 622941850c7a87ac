#include "cache/gate.h"

#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace waypost::cache {
namespace {

using namespace std::chrono_literals;

kube::Service service(const std::string& name, const char* address = "10.96.0.1",
                      std::uint16_t port = 80) {
  kube::Service object;
  object.key = {"shop", name};
  object.cluster_ips = {*IpAddress::from_text(address)};
  object.ports = {{.name = "http", .port = port}};
  return object;
}

kube::Service headless(const std::string& name) {
  kube::Service object = service(name);
  object.cluster_ips.clear();
  object.headless = true;
  return object;
}

kube::EndpointSlice slice(const std::string& of, const std::string& name) {
  kube::EndpointSlice object;
  object.key = {"shop", name};
  object.service_name = of;
  return object;
}

// What a client could learn: each Service's first address and port, and its slices.  Checks that
// every delta begins where the one before ended.
class Client final : public Consumer {
 public:
  void on_service(const ServiceDelta& delta) override {
    CHECK(text(delta.before) == shown(delta.key.name));
    shown_[delta.key.name] = text(delta.after);
    ++deltas;
    if (delta.times.created != 0 || delta.times.triggered != 0) {
      dated += delta.key.name + ":" + std::to_string(delta.times.created) + "/" +
               std::to_string(delta.times.triggered) + " ";
    }
  }
  void on_namespace(const ObjectDelta<kube::Namespace>& /*delta*/) override { ++namespaces; }
  void on_pod(const ObjectDelta<kube::Pod>& delta) override {
    pods += std::string(delta.before == nullptr  ? "+"
                        : delta.after == nullptr ? "-"
                                                 : "~") +
            (delta.after == nullptr ? delta.before : delta.after)->key.name;
  }
  void on_node(const ObjectDelta<kube::Node>& /*delta*/) override { ++nodes; }
  void on_synced() override { is_synced = true; }
  void on_resource_version(std::uint64_t now) override { version = now; }

  std::string shown(const std::string& name) const {
    const auto at = shown_.find(name);
    return at == shown_.end() ? "nothing" : at->second;
  }

  bool is_synced = false;
  std::uint64_t version = 0;
  unsigned deltas = 0;
  unsigned namespaces = 0;
  unsigned nodes = 0;
  std::string pods;   // "+a~a-a"
  std::string dated;  // "name:created/triggered " for each delta that tells when it was made.

  static std::string text(const ServiceState& state) {
    if (!state.service && state.slices.empty()) {
      return "nothing";
    }
    std::string out = "hidden";
    if (state.service) {
      out = state.service->headless ? "headless"
                                    : state.service->cluster_ips.front().to_text() + ":" +
                                          std::to_string(state.service->ports.front().port);
    }
    for (const SlicePointer& each : state.slices) {
      out += "+" + each->key.name;
    }
    return out;
  }

 private:
  std::map<std::string, std::string> shown_;
};

// A gate over a cache that is synced and empty; rules are in force up to `in_force()`.
struct Bench {
  Bench() {
    gate.subscribe(client);
    cache.set_synced();
    gate.open(0);
  }
  ~Bench() { gate.unsubscribe(client); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  ServiceCache cache;
  Gate gate{cache, 10s};
  Client client;
};

}  // namespace

TEST_CASE("a new Service is shown once its rules are in force") {
  Bench bench;
  bench.cache.put(service("web"));
  CHECK(bench.client.shown("web") == "nothing");
  bench.cache.put(slice("web", "web-1"));
  CHECK(bench.client.shown("web") == "hidden+web-1");
  CHECK(bench.gate.held() == 1);
  bench.gate.open(0);
  CHECK(bench.client.shown("web") == "hidden+web-1");
  bench.gate.open(1);  // The Service's delta; the slice's may take its time.
  CHECK(bench.client.shown("web") == "10.96.0.1:80+web-1");
  CHECK(bench.gate.held() == 0);
}

TEST_CASE("a Service with other ports is shown as it was until its rules are in force") {
  Bench bench;
  bench.cache.put(service("web"));
  bench.gate.open(1);
  bench.cache.put(service("web", "10.96.0.1", 8080));
  bench.cache.put(slice("web", "web-1"));
  CHECK(bench.client.shown("web") == "10.96.0.1:80+web-1");
  bench.cache.put(service("web", "10.96.0.1", 9090));
  bench.gate.open(2);  // Only the port that is not wanted any more.
  CHECK(bench.client.shown("web") == "10.96.0.1:80+web-1");
  bench.gate.open(4);
  CHECK(bench.client.shown("web") == "10.96.0.1:9090+web-1");
}

TEST_CASE("when a change was made is told with what shows it") {
  Bench bench;
  kube::Service web = service("web");
  web.times.created = 1000;
  bench.cache.put(web);
  CHECK(bench.client.dated == "");
  kube::EndpointSlice one = slice("web", "web-1");
  one.times.triggered = 2000;
  bench.cache.put(one);
  CHECK(bench.client.dated == "web:0/2000 ");
  bench.cache.put(service("web", "10.96.0.1", 8080));  // It is still not answered.
  bench.gate.open(2);
  CHECK(bench.client.dated == "web:0/2000 ");
  bench.gate.open(3);
  CHECK(bench.client.dated == "web:0/2000 web:1000/0 ");

  kube::Service db = headless("db");
  db.times.created = 3000;
  bench.cache.put(db);
  CHECK(bench.client.dated == "web:0/2000 web:1000/0 db:3000/0 ");
  kube::Service late = service("late", "10.96.0.2");
  late.times.created = 4000;
  bench.cache.put(late);
  bench.gate.let_overdue_through(std::chrono::steady_clock::now() + 11s);
  CHECK(bench.client.dated == "web:0/2000 web:1000/0 db:3000/0 late:4000/0 ");
}

TEST_CASE("what goes is told at once") {
  Bench bench;
  bench.cache.put(service("web"));
  bench.gate.open(1);

  SUBCASE("a Service") {
    bench.cache.erase_service({"shop", "web"});
    CHECK(bench.client.shown("web") == "nothing");
  }
  SUBCASE("a Service that waits") {
    bench.cache.put(service("web", "10.96.0.1", 8080));
    bench.cache.erase_service({"shop", "web"});
    CHECK(bench.client.shown("web") == "nothing");
    bench.gate.open(99);
    CHECK(bench.client.shown("web") == "nothing");
  }
  SUBCASE("an address that is another now") {
    bench.cache.put(service("web", "10.96.0.2"));
    CHECK(bench.client.shown("web") == "nothing");
    bench.gate.open(2);
    CHECK(bench.client.shown("web") == "10.96.0.2:80");
  }
  SUBCASE("an address, of a Service that waits already") {
    bench.cache.put(service("web", "10.96.0.1", 8080));
    bench.cache.put(service("web", "10.96.0.2", 8080));
    CHECK(bench.client.shown("web") == "nothing");
    bench.gate.open(3);
    CHECK(bench.client.shown("web") == "10.96.0.2:8080");
  }
}

TEST_CASE("what needs no rules does not wait") {
  Bench bench;
  bench.cache.put(headless("db"));
  CHECK(bench.client.shown("db") == "headless");
  kube::Service external = headless("out");
  external.headless = false;
  external.type = kube::ServiceType::ExternalName;
  external.ports = {{.name = "http", .port = 1}};
  external.cluster_ips = {*IpAddress::from_text("10.0.0.1")};  // Ignored by whoever reads it.
  bench.cache.put(external);
  CHECK(bench.client.shown("out") == "10.0.0.1:1");
  kube::Namespace shop;
  shop.name = "shop";
  bench.cache.put(shop);
  CHECK(bench.client.namespaces == 1);
  kube::Node node;
  node.name = "a";
  bench.cache.put(node);
  CHECK(bench.client.nodes == 1);

  bench.cache.put(service("web"));
  bench.gate.open(3);
  REQUIRE(bench.client.shown("web") == "10.96.0.1:80");
  kube::Service labeled = service("web");
  labeled.labels = {{"tier", "prod"}};
  const unsigned before = bench.client.deltas;
  bench.cache.put(labeled);
  CHECK(bench.client.deltas == before + 1);
  bench.cache.put(headless("web"));  // From rules to none.
  CHECK(bench.client.shown("web") == "headless");
  bench.cache.put(service("web"));  // And back.
  CHECK(bench.client.shown("web") == "headless");
  bench.gate.open(6);
  CHECK(bench.client.shown("web") == "10.96.0.1:80");
}

TEST_CASE("Pods are told at once, before and after the cache is synced, and to who comes later") {
  ServiceCache cache;
  Gate gate(cache, 10s);
  Client client;
  gate.subscribe(client);
  kube::Pod pod;
  pod.key = {"shop", "a"};
  cache.put(pod);
  CHECK(client.pods == "+a");
  cache.set_synced();
  cache.put(service("web"));  // Waits.
  pod.phase = kube::PodPhase::Running;
  cache.put(pod);
  CHECK(client.pods == "+a~a");
  Client late;
  gate.subscribe(late);
  CHECK(late.pods == "+a");
  unsigned count = 0;
  gate.for_each_pod_in("shop", [&](const kube::Pod& each) { count += each == pod ? 1 : 0; });
  CHECK(count == 1);
  cache.erase_pod(pod.key);
  CHECK(client.pods == "+a~a-a");
  CHECK(late.pods == "+a-a");
  gate.unsubscribe(client);
  gate.unsubscribe(late);
}

TEST_CASE("the first list is shown at once and known once all of its rules are in force") {
  ServiceCache cache;
  Gate gate(cache, 10s);
  Client client;
  gate.subscribe(client);
  cache.put(service("web"));
  cache.put(service("db", "10.96.0.2"));
  CHECK(client.shown("web") == "10.96.0.1:80");
  CHECK(gate.held() == 0);
  cache.set_synced();
  gate.open(1);
  CHECK_FALSE(client.is_synced);
  gate.open(2);
  CHECK(client.is_synced);
  CHECK(gate.is_synced());
  gate.unsubscribe(client);
}

TEST_CASE("what waits for too long is let through and counted") {
  ServiceCache cache;
  Gate gate(cache, 10s);
  Client client;
  gate.subscribe(client);
  cache.put(service("web"));
  cache.set_synced();
  cache.put(service("db", "10.96.0.2"));
  const auto now = std::chrono::steady_clock::now();
  CHECK(gate.let_overdue_through(now + 9s) == 0);
  CHECK_FALSE(client.is_synced);
  CHECK(client.shown("db") == "nothing");
  CHECK(gate.let_overdue_through(now + 11s) == 2);
  CHECK(client.is_synced);
  CHECK(client.shown("db") == "10.96.0.2:80");
  CHECK(gate.overdue() == 2);
  CHECK(gate.let_overdue_through(now + 30s) == 0);
  gate.unsubscribe(client);
}

TEST_CASE("who comes later is told what others were") {
  Bench bench;
  bench.cache.put(service("web"));
  bench.gate.open(1);
  bench.cache.put(service("web", "10.96.0.1", 8080));
  bench.cache.put(service("db", "10.96.0.2"));
  Client late;
  bench.gate.subscribe(late);
  CHECK(late.shown("web") == "10.96.0.1:80");
  CHECK(late.shown("db") == "nothing");
  CHECK(late.is_synced);
  std::set<std::string> seen;
  bench.gate.for_each_service_in("shop",
                                 [&](const kube::ObjectKey& key, const ServiceState& state) {
                                   seen.insert(key.name + " " + Client::text(state));
                                 });
  CHECK(seen == std::set<std::string>{"db nothing", "web 10.96.0.1:80"});
  bench.gate.open(3);
  CHECK(late.shown("web") == "10.96.0.1:8080");
  CHECK(late.shown("db") == "10.96.0.2:80");
  bench.gate.unsubscribe(late);
}

}  // namespace waypost::cache
