#include "kube/yaml_decoder.h"

#include "support/object_text.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::kube {
namespace {

using test::show;

// Everything that a text holds, one object or problem a line.
std::string decode(std::string_view yaml) {
  const Manifests manifests = decode_manifests(yaml);
  std::string text;
  const auto add = [&](const char* kind, const auto& decoded) {
    for (const auto& entry : decoded) {
      text += std::string(kind) + " " + show(entry.object) + "\n";
    }
  };
  add("namespace", manifests.namespaces);
  add("service", manifests.services);
  add("slice", manifests.slices);
  add("pod", manifests.pods);
  add("node", manifests.nodes);
  for (const ManifestProblem& problem : manifests.problems) {
    text += "! " + problem.message + "\n";
  }
  if (manifests.skipped > 0) {
    text += "skipped " + std::to_string(manifests.skipped) + "\n";
  }
  return text;
}

std::string service(const std::string& spec) {
  return "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: " + spec +
         "\n";
}

std::string slice(const std::string& rest) {
  return "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
         "metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}\n" +
         rest;
}

std::string pod(const std::string& rest) {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: web-0, namespace: shop}\n" + rest;
}

}  // namespace

TEST_CASE("Services are decoded with the API server's defaults") {
  struct Case {
    std::string yaml;
    std::string expected;
  };
  for (const Case& c : {
           Case{service("{ports: [{port: 80}]}"), "service shop/web ClusterIP :80/tcp>80\n"},
           Case{"apiVersion: v1\nkind: Service\nmetadata:\n  name: 1web\n  labels: {tier: front, "
                "app: "
                "web}\n  resourceVersion: \"7\"\nspec:\n  ports:\n  - port: 0x50\n",
                "service default/1web ClusterIP :80/tcp>80 labels app=web,tier=front @7\n"},
           Case{service(
                    "{clusterIP: '', clusterIPs: [], selector: {}, type: '', ports: [{port: 80}]}"),
                "service shop/web ClusterIP :80/tcp>80\n"},
           Case{service(
                    "{clusterIP: 10.96.0.7, selector: {app: web}, ports: [{name: http, port: 80, "
                    "targetPort: http-web}, {name: dns, port: 53, protocol: UDP, targetPort: "
                    "1053}, {name: sig, port: 80, protocol: SCTP, targetPort: 0}]}"),
                "service shop/web ClusterIP 10.96.0.7 http:80/tcp>http-web dns:53/udp>1053 "
                "sig:80/sctp>80 selects app=web\n"},
           Case{service(
                    "{clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7, 'fd00::7'], ipFamilies: [IPv4, "
                    "IPv6], ipFamilyPolicy: RequireDualStack, ports: [{port: 80}]}"),
                "service shop/web ClusterIP 10.96.0.7 fd00::7 IPv4 IPv6 require-dual :80/tcp>80\n"},
           // What the API server would refuse, but cannot be misunderstood: two addresses without a
           // policy, one name for a port of two protocols.
           Case{service("{clusterIPs: [10.96.0.7, 'fd00::7'], clusterIP: 10.96.0.7, ports: [{port: "
                        "80}]}"),
                "service shop/web ClusterIP 10.96.0.7 fd00::7 require-dual :80/tcp>80\n"},
           Case{service("{clusterIP: None, ports: [{name: dns, port: 53}, {name: dns, port: 53, "
                        "protocol: UDP}]}"),
                "service shop/web ClusterIP headless dns:53/tcp>53 dns:53/udp>53\n"},
           Case{service(
                    "{ipFamilies: [IPv6], ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]}"),
                "service shop/web ClusterIP IPv6 prefer-dual :80/tcp>80\n"},
           Case{service("{clusterIP: None, publishNotReadyAddresses: true}"),
                "service shop/web ClusterIP headless not-ready-too\n"},
           Case{service("{clusterIP: None, clusterIPs: [None]}"),
                "service shop/web ClusterIP headless\n"},
           Case{service("{type: NodePort, ports: [{port: 80, nodePort: 30080}]}"),
                "service shop/web NodePort :80/tcp>80\n"},
           Case{service("{type: LoadBalancer, ports: [{port: 80}]}") +
                    "status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}\n",
                "service shop/web LoadBalancer :80/tcp>80\n"},
           Case{service("{type: ExternalName, externalName: db.example.org.}"),
                "service shop/web ExternalName -> db.example.org.\n"},
           Case{service("{type: ExternalName, externalName: 192.0.2.7}"),
                "service shop/web ExternalName -> 192.0.2.7\n"},
           Case{service("{type: ExternalName, externalName: '2001:db8::7', ports: [{port: 1}]}"),
                "service shop/web ExternalName -> 2001:db8::7 :1/tcp>1\n"},
           Case{service("{externalName: ignored.example.org, unknown: {x: [1]}, ports: [{port: 80, "
                        "appProtocol: http}]}"),
                "service shop/web ClusterIP :80/tcp>80\n"},
       }) {
    CAPTURE(c.yaml);
    CHECK(decode(c.yaml) == c.expected);
  }
}

TEST_CASE("EndpointSlices are decoded with the API server's defaults") {
  struct Case {
    std::string yaml;
    std::string expected;
  };
  for (const Case& c : {
           Case{slice("addressType: IPv4\nendpoints: [{addresses: [10.244.0.5]}]\n"),
                "slice shop/web-1 of web 10.244.0.5(rs-)\n"},
           Case{slice("addressType: IPv4\nports: [{name: http, port: 8080}, {name: dns, protocol: "
                      "UDP, "
                      "port: 53}]\nendpoints: []\n"),
                "slice shop/web-1 of web http:8080/tcp dns:53/udp\n"},
           Case{slice("addressType: IPv4\nports: null\nendpoints: null\n"),
                "slice shop/web-1 of web\n"},
           Case{
               slice("addressType: IPv6\nports: [{port: 80}, {name: any, port: null}]\nendpoints:\n"
                     "- addresses: ['fd00::1', 'fd00::2']\n  hostname: web-0\n  nodeName: n1\n"
                     "  zone: z1\n  hints: {forZones: [{name: z1}]}\n"
                     "  targetRef: {kind: Pod, name: web-0, namespace: shop}\n"),
               "slice shop/web-1 of web :80/tcp fd00::1(rs-)=web-0~web-0 "
               "fd00::2(rs-)=web-0~web-0\n"},
           Case{slice("addressType: IPv4\nendpoints:\n"
                      "- {addresses: [10.0.0.1], conditions: {ready: false}}\n"
                      "- {addresses: [10.0.0.2], conditions: {ready: false, serving: true, "
                      "terminating: true}}\n"
                      "- {addresses: [10.0.0.3], conditions: {ready: null, serving: null}}\n"
                      "- {addresses: [10.0.0.4], conditions: {ready: true, serving: false}}\n"
                      "- {addresses: [10.0.0.5], targetRef: {kind: Node, name: n1}}\n"),
                "slice shop/web-1 of web 10.0.0.1(-s-) 10.0.0.2(-st) 10.0.0.3(rs-) 10.0.0.4(r--) "
                "10.0.0.5(rs-)\n"},
           Case{slice("addressType: FQDN\nendpoints: [{addresses: [db.example.org]}]\n"),
                "skipped 1\n"},
           Case{"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a.b}\n"
                "addressType: IPv4\n",
                "slice default/a.b of \n"},
       }) {
    CAPTURE(c.yaml);
    CHECK(decode(c.yaml) == c.expected);
  }
}

TEST_CASE("Pods are decoded with the API server's defaults") {
  struct Case {
    std::string yaml;
    std::string expected;
  };
  for (const Case& c : {
           Case{pod(""), "pod shop/web-0 Pending\n"},
           Case{pod("spec:\n  hostname: web-0\n  subdomain: web\n  containers:\n"
                    "  - {name: a, ports: [{name: http, containerPort: 8080}, {containerPort: 53, "
                    "protocol: UDP}]}\n  - {name: b}\n  initContainers:\n"
                    "  - {name: side, restartPolicy: Always, ports: [{name: proxy, containerPort: "
                    "1500}]}\n  - {name: once, ports: [{name: gone, containerPort: 1}]}\n"
                    "status: {phase: Running, podIP: 10.244.0.5, podIPs: [{ip: 10.244.0.5}, {ip: "
                    "'fd00::5'}], conditions: [{type: Ready, status: 'True'}, {type: Initialized, "
                    "status: 'False'}]}\n"),
                "pod shop/web-0 Running ready 10.244.0.5 fd00::5 host web-0 sub web http:8080/tcp "
                ":53/udp proxy:1500/tcp\n"},
           Case{pod("status: {phase: Failed, podIP: '', conditions: [{type: Ready, status: "
                    "'False'}]}"),
                "pod shop/web-0 Failed\n"},
           Case{pod("status: {podIPs: [{ip: 'fd00::5'}, {ip: 10.0.0.1}]}"),
                "pod shop/web-0 Pending fd00::5 10.0.0.1\n"},
           Case{"apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-0\n  labels: {app: web}\n"
                "  deletionTimestamp: 2024-05-01T10:00:00Z\n",
                "pod default/web-0 Pending terminating labels app=web\n"},
       }) {
    CAPTURE(c.yaml);
    CHECK(decode(c.yaml) == c.expected);
  }
}

TEST_CASE("a Namespace has the label that the API server sets") {
  CHECK(decode("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n") ==
        "namespace shop kubernetes.io/metadata.name=shop\n");
  CHECK(decode("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, namespace: x, labels: "
               "{team: a, kubernetes.io/metadata.name: other}}\n") ==
        "namespace shop kubernetes.io/metadata.name=shop,team=a\n");
}

TEST_CASE("documents and lists are unpacked, other kinds are counted") {
  CHECK(decode("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n---\n"
               "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b}\n---\n"
               "apiVersion: v1\nkind: Namespace\nmetadata: {name: c}\n") ==
        "namespace a kubernetes.io/metadata.name=a\nnamespace c kubernetes.io/metadata.name=c\n"
        "skipped 1\n");
  CHECK(decode("apiVersion: v1\nkind: List\nitems:\n"
               "- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n"
               "- apiVersion: v1\n  kind: List\n  items:\n"
               "  - {apiVersion: v1, kind: Namespace, metadata: {name: b}}\n"
               "  - {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n"
               "- apiVersion: v1\n  kind: NamespaceList\n  items: [{metadata: {name: d}}]\n") ==
        "namespace a kubernetes.io/metadata.name=a\nnamespace b kubernetes.io/metadata.name=b\n"
        "namespace d kubernetes.io/metadata.name=d\nskipped 1\n");
  CHECK(decode("{\"apiVersion\":\"v1\",\"kind\":\"ServiceList\",\"metadata\":{\"resourceVersion\":"
               "\"1\"},"
               "\"items\":[{\"metadata\":{\"name\":\"web\",\"creationTimestamp\":null},"
               "\"spec\":{\"clusterIP\":\"None\"}}]}") ==
        "service default/web ClusterIP headless\n");
  CHECK(decode("apiVersion: discovery.k8s.io/v1\nkind: EndpointSliceList\nitems:\n"
               "- {metadata: {name: s}, addressType: IPv4}\n") == "slice default/s of \n");
  CHECK(decode("apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: p}}]\n") ==
        "pod default/p Pending\n");
  CHECK(decode("apiVersion: v1\nkind: List\nitems: null\n") == "");
  CHECK(decode("apiVersion: serving.example.org/v1\nkind: Service\nmetadata: {name: x}\n") ==
        "skipped 1\n");
  CHECK(decode("") == "");
}

TEST_CASE("anchors and merge keys work in manifests") {
  CHECK(
      decode("apiVersion: v1\nkind: List\nitems:\n"
             "- apiVersion: v1\n  kind: Service\n  metadata: {name: a, labels: &l {app: web}}\n"
             "  spec: &s {ports: [{port: 80}], selector: *l}\n"
             "- apiVersion: v1\n  kind: Service\n  metadata: {name: b, labels: {<<: *l, tier: x}}\n"
             "  spec: {<<: *s, clusterIP: None}\n") ==
      "service default/a ClusterIP :80/tcp>80 selects app=web labels app=web\n"
      "service default/b ClusterIP headless :80/tcp>80 selects app=web labels app=web,tier=x\n");
}

TEST_CASE("an object knows the line where it begins") {
  const Manifests manifests = decode_manifests(
      "# first\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n\n"
      "apiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n");
  REQUIRE(manifests.namespaces.size() == 2);
  CHECK(manifests.namespaces[0].line == 2);
  CHECK(manifests.namespaces[1].line == 7);
}

}  // namespace waypost::kube
