#include "sources/manifest_source.h"

#include "world.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::sources {
namespace {

using Lines = std::vector<std::string>;

const std::string Running =
    "status: {phase: Running, podIP: 10.0.0.1, conditions: [{type: Ready, "
    "status: 'True'}]}";
const std::string Selecting = "{clusterIP: 10.96.0.5, selector: {app: web}, ports: [{port: 80}]}";
const std::string DeclaredSlice =
    "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: hand, namespace: "
    "shop, "
    "labels: {kubernetes.io/service-name: web}}\naddressType: IPv4\nendpoints: [{addresses: "
    "[10.0.0.9]}]\n";

}  // namespace

TEST_CASE("namespaces are there while declared or lived in") {
  World world;
  world.folder.write("a.yaml", service_text("web", "{clusterIP: None}"));
  world.load();
  CHECK(world.namespaces() == Lines{"default", "kube-system", "shop"});
  const kube::Namespace* shop = world.cache.find_namespace("shop");
  REQUIRE(shop != nullptr);
  CHECK(shop->labels == kube::Labels{{"kubernetes.io/metadata.name", "shop"}});
  world.recorder.take();

  // Declared: the same Namespace, now with labels.
  world.folder.write("b.yaml",
                     "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {a: b}}\n");
  world.load();
  CHECK(world.recorder.take() == Lines{"~namespace shop"});
  CHECK(world.cache.find_namespace("shop")->labels ==
        kube::Labels{{"a", "b"}, {"kubernetes.io/metadata.name", "shop"}});

  world.folder.remove("a.yaml");
  world.load();
  CHECK(world.recorder.take() == Lines{"-service shop/web"});
  world.folder.write("a.yaml", DeclaredSlice + pod_text("p", Running));
  world.load();
  world.folder.remove("b.yaml");
  world.recorder.take();
  world.load();
  CHECK(world.recorder.take() == Lines{"~namespace shop"});
  world.folder.write("a.yaml", pod_text("p", Running));
  world.load();
  CHECK(world.namespaces() == Lines{"default", "kube-system", "shop"});
  world.folder.remove("a.yaml");
  world.load();
  CHECK(world.namespaces() == Lines{"default", "kube-system"});

  world.folder.write("c.yaml", namespace_text("default"));
  world.load();
  world.folder.remove("c.yaml");
  world.load();
  CHECK(world.namespaces() == Lines{"default", "kube-system"});
}

TEST_CASE("a Service without clusterIP gets one that stays the same") {
  World world;
  world.folder.write("a.yaml", service_text("web", "{ports: [{port: 80}]}") +
                                   service_text("dual",
                                                "{ipFamilyPolicy: RequireDualStack, type: "
                                                "NodePort, ports: [{port: 80}]}") +
                                   service_text("none", "{clusterIP: None}"));
  CHECK(world.load().empty());
  const std::string web = world.cluster_ips("shop", "web");
  const std::string dual = world.cluster_ips("shop", "dual");
  CHECK(web.starts_with("10.96.0."));
  CHECK(dual.find(" fd00:96::") != std::string::npos);
  CHECK(world.cluster_ips("shop", "none").empty());

  World again;
  again.folder.write("z.yaml", service_text("dual",
                                            "{ipFamilyPolicy: PreferDualStack, ports: [{port: "
                                            "1}]}") +
                                   service_text("web", "{type: LoadBalancer, ports: [{port: 1}]}"));
  CHECK(again.load().empty());
  CHECK(again.cluster_ips("shop", "web") == web);
  CHECK(again.cluster_ips("shop", "dual") == dual);
}

TEST_CASE("an explicit address takes precedence over a derived one") {
  World world;
  world.folder.write("a.yaml", service_text("web", "{ports: [{port: 80}]}"));
  world.load();
  const std::string before = world.cluster_ips("shop", "web");
  world.recorder.take();

  world.folder.write("b.yaml",
                     service_text("zeta", "{clusterIP: " + before + ", ports: [{port: 80}]}"));
  CHECK(world.load().empty());
  CHECK(world.cluster_ips("shop", "zeta") == before);
  CHECK(world.cluster_ips("shop", "web") != before);
  CHECK(world.recorder.take() == Lines{"~service shop/web", "+service shop/zeta"});

  world.folder.remove("b.yaml");
  world.load();
  CHECK(world.cluster_ips("shop", "web") == before);
}

TEST_CASE("a Service that cannot get its addresses is reported and serves those that it has") {
  World world(std::vector<std::string_view>{"10.96.0.0/24"});
  world.folder.write(
      "a.yaml", namespace_text("x") + service_text("dual",
                                                   "{ipFamilyPolicy: RequireDualStack, clusterIP: "
                                                   "10.96.0.5, ports: [{port: 80}]}"));
  CHECK(world.load() ==
        Lines{"a.yaml: line 6: Service shop/dual: spec.clusterIPs: no IPv6 address; "
              "expected one, or a service CIDR of that family"});
  CHECK(world.cluster_ips("shop", "dual") == "10.96.0.5");
  world.folder.write("a.yaml", service_text("dual", "{clusterIP: 10.96.0.5, ports: [{port: 80}]}"));
  CHECK(world.load().empty());
  CHECK(world.source.errors().empty());
}

TEST_CASE("slices are derived from Pods as long as none are declared") {
  World world;
  world.folder.write("service.yaml", service_text("web", Selecting));
  world.load();
  CHECK(world.slices("shop", "web").empty());

  world.folder.write("pod.yaml", pod_text("p", Running));
  world.load();
  CHECK(world.slices("shop", "web") == "web-derived-ipv4-tcp80: :80/tcp 10.0.0.1(rs-)~p\n");

  world.folder.write("slice.yaml", DeclaredSlice);
  world.load();
  CHECK(world.slices("shop", "web") == "hand: 10.0.0.9(rs-)\n");

  world.folder.remove("slice.yaml");
  world.load();
  CHECK(world.slices("shop", "web") == "web-derived-ipv4-tcp80: :80/tcp 10.0.0.1(rs-)~p\n");

  world.folder.remove("pod.yaml");
  world.load();
  CHECK(world.slices("shop", "web").empty());
  CHECK(world.cache.counts().slices == 0);
}

TEST_CASE("derived slices follow every change of Service and Pods") {
  World world;
  world.folder.write("service.yaml", service_text("web", Selecting));
  world.folder.write("pod.yaml", pod_text("p", Running));
  world.load();
  const auto expect = [&](const char* what, const std::string& slices) {
    CAPTURE(what);
    CHECK(world.load().empty());
    CHECK(world.slices("shop", "web") == slices);
  };
  world.folder.write("pod.yaml", pod_text("p", "status: {phase: Running, podIP: 10.0.0.1}"));
  expect("not ready", "web-derived-ipv4-tcp80: :80/tcp 10.0.0.1(---)~p\n");
  world.folder.write("service.yaml",
                     service_text("web",
                                  "{clusterIP: None, publishNotReadyAddresses: true, selector: "
                                  "{app: web}}"));
  expect("published, headless", "web-derived-ipv4: 10.0.0.1(r--)~p\n");
  world.folder.write("service.yaml", service_text("web", "{clusterIP: None, selector: {app: db}}"));
  expect("another selector", "");
  world.folder.write("service.yaml", service_text("web", Selecting));
  expect("the old selector", "web-derived-ipv4-tcp80: :80/tcp 10.0.0.1(---)~p\n");
  world.folder.write("service.yaml",
                     service_text("web",
                                  "{type: ExternalName, externalName: a.example.org, selector: "
                                  "{app: web}}"));
  expect("an ExternalName", "");
  world.folder.write("service.yaml",
                     service_text("web", "{clusterIP: 10.96.0.5, ports: [{port: 80}]}"));
  expect("no selector", "");
  world.folder.write("service.yaml", service_text("web", Selecting));
  world.folder.write(
      "pod.yaml",
      "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: other, labels: {app: "
      "web}}\n" +
          Running);
  expect("a Pod of another namespace", "");
  world.folder.remove("service.yaml");
  expect("no Service", "");
  CHECK(world.cache.counts().slices == 0);
}

TEST_CASE("derived slices have the Service's families") {
  const std::string both =
      "status: {phase: Running, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}], "
      "conditions: [{type: Ready, status: 'True'}]}";
  const std::string four = "web-derived-ipv4-tcp80: :80/tcp 10.0.0.1(rs-)~p\n";
  const std::string six = "web-derived-ipv6-tcp80: :80/tcp fd00::1(rs-)~p\n";
  struct Case {
    std::string what;
    std::vector<std::string_view> cidrs;
    std::string spec;
    std::string slices;
  };
  for (const Case& c : {
           Case{"the first of the cluster", {"10.96.0.0/24", "fd00:96::/120"}, "", four},
           Case{"the first of the cluster, IPv6", {"fd00:96::/120", "10.96.0.0/24"}, "", six},
           Case{
               "the one asked for", {"10.96.0.0/24", "fd00:96::/120"}, "ipFamilies: [IPv6], ", six},
           Case{"both",
                {"10.96.0.0/24", "fd00:96::/120"},
                "ipFamilyPolicy: PreferDualStack, ",
                four + six},
           Case{"both, but one is there",
                {"10.96.0.0/24"},
                "ipFamilyPolicy: PreferDualStack, ",
                four},
           Case{"that of the cluster IP", {"10.96.0.0/24"}, "clusterIP: 'fd00:96::1', ", six},
           Case{"headless and open",
                {"10.96.0.0/24", "fd00:96::/120"},
                "clusterIP: None, ",
                four + six},
           Case{"headless in a cluster of one family", {"10.96.0.0/24"}, "clusterIP: None, ", four},
           Case{"headless with a family",
                {"10.96.0.0/24", "fd00:96::/120"},
                "clusterIP: None, ipFamilies: [IPv6], ",
                six},
           Case{"headless without any CIDR", {}, "clusterIP: None, ", four + six},
       }) {
    CAPTURE(c.what);
    World world(c.cidrs);
    world.folder.write("a.yaml",
                       service_text("web", "{" + std::string(c.spec) +
                                               "selector: {app: web}, ports: [{port: 80}]}") +
                           pod_text("p", both));
    CHECK(world.load().empty());
    CHECK(world.slices("shop", "web") == c.slices);
  }
}

TEST_CASE("one Pod's change touches the Services that select it") {
  World world;
  world.folder.write("services.yaml",
                     service_text("web", Selecting) +
                         service_text("other", "{clusterIP: None, selector: {app: x}}"));
  world.folder.write(
      "pods.yaml",
      pod_text("p", Running) +
          "---\napiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: shop, labels: "
          "{app: x}}\n" +
          Running);
  world.load();
  world.recorder.take();
  world.folder.write(
      "pods.yaml",
      pod_text("p", "status: {phase: Running, podIP: 10.0.0.2}") +
          "---\napiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: shop, labels: "
          "{app: x}}\n" +
          Running);
  world.load();
  CHECK(world.recorder.take() == Lines{"*service shop/web", "~pod shop/p"});
}

TEST_CASE("files may be named one by one, and derived endpoints know their Pod's node") {
  Folder folder;
  folder.write("services", service_text("web", Selecting));
  folder.write("pods", pod_text("p", "spec: {nodeName: n1}\n" + Running));
  folder.write("not-named.yaml", namespace_text("other"));
  cache::ServiceCache cache;
  ManifestSource source(
      {.decode = {.traffic = true}, .files = {folder.path() / "services", folder.path() / "pods"}},
      cache);
  CHECK(source.load().empty());
  CHECK(cache.find_namespace("other") == nullptr);
  const auto state = cache.find({"shop", "web"});
  REQUIRE(state.has_value());
  REQUIRE(state->slices.size() == 1);
  REQUIRE(state->slices[0]->traffic);
  CHECK(state->slices[0]->traffic->placements.node(0) == "n1");

  ManifestSource missing({.files = {folder.path() / "absent"}}, cache);
  CHECK(missing.load().size() == 1);
}

TEST_CASE("of the Pods, those of one node alone may be wanted, and endpoints are those of all") {
  Folder folder;
  const auto pod = [](const char* node) {
    return pod_text("p", "spec: {nodeName: " + std::string(node) + "}\n" + Running);
  };
  folder.write("a.yaml", service_text("web", Selecting) + pod("n1"));
  folder.write("b.yaml", pod_text("unbound", "status: {phase: Pending}"));
  cache::ServiceCache cache;
  Recorder recorder;
  ManifestSource source(
      {.folder = folder.path(), .decode = {.traffic = true}, .pods_of_node = "n2"}, cache);
  CHECK(source.load().empty());
  CHECK(cache.counts().pods == 0);
  CHECK(cache.counts().endpoints == 1);
  cache.subscribe(recorder);
  recorder.take();

  folder.write("a.yaml", service_text("web", Selecting) + pod("n2"));
  source.load();
  CHECK(recorder.take() == Lines{"*service shop/web", "+pod shop/p"});
  folder.write("a.yaml", service_text("web", Selecting) + pod("n3"));
  source.load();
  CHECK(recorder.take() == Lines{"*service shop/web", "-pod shop/p"});
  folder.write("a.yaml", service_text("web", Selecting));
  source.load();
  CHECK(recorder.take() == Lines{"*service shop/web"});
  cache.unsubscribe(recorder);
}

}  // namespace waypost::sources
