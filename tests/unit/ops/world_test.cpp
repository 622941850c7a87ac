#include "ops/world.h"

#include "base/rcu.h"
#include "ops/announcement.h"
#include "support/temporary_folder.h"
#include "zones/zone_set.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::ops {
namespace {

constexpr const char* Web = R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: 10.96.0.7
  ports: [{name: http, port: 80}]
)";

constexpr const char* WebPod = R"(
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop}
status: {phase: Running, podIP: 10.244.1.5}
)";

constexpr const char* Api = R"(
apiVersion: v1
kind: Service
metadata: {name: api, namespace: kube-system}
spec:
  clusterIP: 10.96.0.10
  ports: [{name: dns, port: 53, protocol: UDP}]
)";

// A world over a folder, with views as workers would read them.
class WorldCase {
 public:
  WorldCase() : world_(views_) {
    views_.zones.store(&zones_);
    views_.policy.store(&policy_);
    records_.zone = *dns::Name::from_text("cluster.local.");
    records_.reverse_zones = {*dns::Name::from_text("in-addr.arpa.")};
    records_.own_addresses = {IpAddress::v4(127, 0, 0, 1)};
    manifests_.folder = folder_.path() / "manifests";
    std::filesystem::create_directories(manifests_.folder);
  }

  void write(const char* name, const char* text) { folder_.write(name, text); }
  void apply() { world_.serve_folder(records_, manifests_); }
  void reload() { world_.reload(); }
  World& world() { return world_; }
  const World& world() const { return world_; }
  records::Options& records() { return records_; }
  sources::ManifestOptions& manifests() { return manifests_; }
  std::filesystem::path folder() const { return folder_.path(); }
  const records::Index* index() const { return views_.index.load(); }

  std::vector<std::string> examples(const char* address) const {
    return example_queries(world_.cache(), records_.zone, views_,
                           *SocketAddress::from_text(address));
  }

 private:
  test::TemporaryFolder folder_;
  records::Options records_;
  sources::ManifestOptions manifests_;
  server::AnswerPolicy policy_;
  zones::ZoneSet zones_{{}};
  server::Views views_;
  World world_;
};

}  // namespace

TEST_CASE("the same options again change nothing, new ones a new index over the same cache") {
  WorldCase test;
  test.write("manifests/web.yaml", Web);
  test.apply();
  const records::Index* first = test.index();
  const cache::ServiceCache* cache = &test.world().cache();
  REQUIRE(first != nullptr);
  CHECK(first->is_ready());
  CHECK(cache->counts().services == 1);
  test.apply();
  CHECK(test.index() == first);
  test.records().ttl = 30;
  test.apply();
  CHECK(test.index() == &test.world().publisher().index());
  CHECK(test.index()->options().ttl == 30U);
  CHECK(test.index()->is_ready());
  CHECK(&test.world().cache() == cache);
}

TEST_CASE("who asks stays known when options change, and follows the cluster's domain") {
  WorldCase test;
  test.write("manifests/pod.yaml", WebPod);
  test.manifests().decode.pod_search = true;
  test.world().complete_searches({"host.example"});
  test.apply();
  const search::PodDirectory* const pods = test.world().pods();
  REQUIRE(pods != nullptr);
  const auto domain = [&] {
    const search::Caller caller = test.world().pods()->find(IpAddress::v4(10, 244, 1, 5));
    return caller.identity == search::Identity::Pod
               ? dns::Name::from_wire((*caller.list)[0].wire)->to_text()
               : "nobody";
  };
  CHECK(domain() == "shop.svc.cluster.local.");
  test.records().ttl = 30;
  test.apply();
  CHECK(test.world().pods() == pods);
  test.records().zone = *dns::Name::from_text("k8s.example.");
  test.apply();
  CHECK(test.world().pods() == pods);
  CHECK(domain() == "shop.svc.k8s.example.");
  test.write("more/api.yaml", Api);
  test.manifests().folder = test.folder() / "more";
  test.apply();
  CHECK(domain() == "nobody");
}

TEST_CASE("changes of a feed are timed as long as there is somebody to answer with them") {
  cache::ServiceCache cache;
  const auto put = [&](const char* name) {
    kube::Service object;
    object.key = {"shop", name};
    object.cluster_ips = {IpAddress::v4(10, 96, 0, 7)};
    object.times.created = 1'000;
    cache.put(object);
  };
  {
    WorldCase one;
    one.world().serve_feed(one.records(), cache);
    cache.set_synced();
    put("web");
    Scrape scrape;
    one.world().programming_times().collect(scrape);
    CHECK(scrape.text().find("_count{service_kind=\"cluster_ip\"} 1\n") != std::string::npos);
  }
  put("late");  // Nobody is told any more.
}

TEST_CASE("another folder starts over with what it holds") {
  WorldCase test;
  test.write("manifests/web.yaml", Web);
  test.write("more/api.yaml", Api);
  test.apply();
  test.manifests().folder = test.folder() / "more";
  test.apply();
  CHECK(!test.world().cache().find({"shop", "web"}));
  CHECK(test.world().cache().find({"kube-system", "api"}).has_value());
  CHECK(test.examples("127.0.0.1:53").size() == 3);
}

TEST_CASE("reading again follows the folder, and a broken file is a problem that changes nothing") {
  WorldCase test;
  test.apply();
  CHECK(test.world().cache().counts().services == 0);
  test.write("manifests/web.yaml", Web);
  test.reload();
  CHECK(test.world().cache().counts().services == 1);
  CHECK(test.world().problems().empty());
  test.write("manifests/web.yaml", "kind: [");
  test.reload();
  CHECK(test.world().problems().size() == 1);
  CHECK(test.world().cache().counts().services == 1);
}

TEST_CASE("examples name what the server answers, users' Services first") {
  WorldCase test;
  test.write("manifests/web.yaml", Web);
  test.write("manifests/api.yaml", Api);
  test.apply();
  CHECK(test.examples("0.0.0.0:1053") ==
        std::vector<std::string>{"dig @127.0.0.1 -p 1053 web.shop.svc.cluster.local A",
                                 "dig @127.0.0.1 -p 1053 _http._tcp.web.shop.svc.cluster.local SRV",
                                 "dig @127.0.0.1 -p 1053 -x 10.96.0.7"});
  CHECK(test.examples("[::]:53").front() == "dig @::1 -p 53 web.shop.svc.cluster.local A");
  CHECK(test.examples("192.0.2.1:53").front().starts_with("dig @192.0.2.1 -p 53 "));

  test.records().namespaces = {"kube-system"};
  test.records().reverse_zones.clear();
  test.apply();
  CHECK(test.examples("127.0.0.1:53") ==
        std::vector<std::string>{
            "dig @127.0.0.1 -p 53 api.kube-system.svc.cluster.local A",
            "dig @127.0.0.1 -p 53 _dns._udp.api.kube-system.svc.cluster.local SRV"});

  test.records().namespaces = {"other"};
  test.apply();
  CHECK(test.examples("127.0.0.1:53").empty());
}

TEST_CASE("totals add up all workers and name each rcode that was given") {
  server::Counters first;
  server::Counters second;
  for (int i = 0; i < 3; ++i) {
    first.queries.add(server::Transport::Udp, true, server::OtherType);
  }
  for (int i = 0; i < 4; ++i) {
    second.queries.add(server::Transport::Udp, false, server::OtherType);
  }
  for (int i = 0; i < 2; ++i) {
    second.queries.add(server::Transport::Tcp, true, server::OtherType);
  }
  first.rcodes[0].add(5);
  second.rcodes[3].add(1);
  second.rcodes[0].add(2);
  second.rcodes[dns::OtherRcodes].add(6);
  second.dropped.add(1);
  const std::vector<const server::Counters*> workers{&first, &second};
  CHECK(totals(workers) ==
        "9 queries (7 udp, 2 tcp), 7 NOERROR, 1 NXDOMAIN, 6 other, 1 dropped, 0 truncated, 0 not "
        "sent, "
        "0 tcp connections, 0 tcp refused, 0 tcp timeouts, 0 transfers");
}

}  // namespace waypost::ops
