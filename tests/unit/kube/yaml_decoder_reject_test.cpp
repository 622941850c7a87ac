#include "kube/yaml_decoder.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

namespace waypost::kube {
namespace {

// Four lines of head; `spec` begins in line 5.
std::string service(const std::string& spec) {
  return "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec:\n" + spec;
}
std::string slice(const std::string& rest) {
  return "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
         "metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}\n" +
         rest;
}
std::string pod(const std::string& rest) {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: web-0, namespace: shop}\n" + rest;
}
std::string named(const std::string& metadata) {
  return "apiVersion: v1\nkind: Service\nmetadata: " + metadata + "\nspec: {clusterIP: None}\n";
}

// Between two good neighbors, which have to survive.
std::string between(const std::string& document) {
  return "apiVersion: v1\nkind: Namespace\nmetadata: {name: before}\n---\n" + document +
         "\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: after}\n";
}
constexpr std::size_t LinesBefore = 4;

struct Case {
  std::string yaml;
  std::size_t line;
  std::string message;  // How it begins, behind the line.
};

void expect_refused(const Case& c) {
  CAPTURE(c.yaml);
  const Manifests manifests = decode_manifests(between(c.yaml));
  REQUIRE(manifests.problems.size() == 1);
  const std::string& got = manifests.problems.front().message;
  const std::string expected = "line " + std::to_string(c.line + LinesBefore) + ": " + c.message;
  CAPTURE(got);
  CAPTURE(expected);
  CHECK(got.starts_with(expected));
  CHECK(manifests.is_complete);
  CHECK(manifests.namespaces.size() == 2);
  CHECK(manifests.services.size() + manifests.slices.size() + manifests.pods.size() == 0);
}

}  // namespace

TEST_CASE("a bad Service is refused with line, object, field and expectation") {
  for (const Case& c : {
           Case{service("  ports:\n  - port: abc\n"), 6,
                "Service shop/web: spec.ports[0].port: 'abc' is not a port number 1..65535"},
           Case{service("  ports:\n  - port: 80\n    name: a\n  - port: 65536\n    name: b\n"), 8,
                "Service shop/web: spec.ports[1].port: the number '65536' is not a port number"},
           Case{service("  ports: [{port: 0}]\n"), 5,
                "Service shop/web: spec.ports[0].port: the number"},
           Case{service("  ports: [{port: -1}]\n"), 5,
                "Service shop/web: spec.ports[0].port: the number '-1' is not a port"},
           Case{service("  ports: [{port: '80'}]\n"), 5,
                "Service shop/web: spec.ports[0].port: '80' is not a port number 1..65535 as long "
                "as it "
                "is in quotes"},
           Case{service("  ports: [{port: 080}]\n"), 5,
                "Service shop/web: spec.ports[0].port: the number '080' is not a port"},
           Case{service("  ports: [{port: 8.5}]\n"), 5,
                "Service shop/web: spec.ports[0].port: the number '8.5' is not a port"},
           Case{
               service("  ports: [{name: http}]\n"), 5,
               "Service shop/web: spec.ports[0].port: is missing; expected a port number 1..65535"},
           Case{service("  ports: {port: 80}\n"), 5,
                "Service shop/web: spec.ports: a mapping is not a sequence"},
           Case{service("  ports: [80]\n"), 5,
                "Service shop/web: spec.ports[0]: the number '80' is not a mapping"},
           Case{service("  ports: [{port: 80, protocol: tcp}]\n"), 5,
                "Service shop/web: spec.ports[0].protocol: 'tcp' is not one of TCP, UDP, SCTP"},
           Case{service("  ports: [{port: 80, name: HTTP}]\n"), 5,
                "Service shop/web: spec.ports[0].name: 'HTTP' is not a DNS label"},
           Case{service("  ports: [{port: 80, targetPort: much-too-long-a-name}]\n"), 5,
                "Service shop/web: spec.ports[0].targetPort: 'much-too-long-a-name' is not a port "
                "name"},
           Case{service("  ports: [{port: 80, targetPort: '8080'}]\n"), 5,
                "Service shop/web: spec.ports[0].targetPort: '8080' is not a port name"},
           Case{service("  ports: [{port: 80, targetPort: 70000}]\n"), 5,
                "Service shop/web: spec.ports[0].targetPort: the number '70000' is not a port "
                "number"},
           Case{service("  ports:\n  - {port: 80, name: a}\n  - {port: 81, name: a}\n"), 7,
                "Service shop/web: spec.ports[1]: the name 'a' is used by another port"},
           Case{service("  ports:\n  - {port: 80, name: a}\n  - {port: 80, name: b}\n"), 7,
                "Service shop/web: spec.ports[1]: the same port and protocol as another port"},
           Case{service("  ports:\n  - {port: 80}\n  - {port: 81}\n"), 7,
                "Service shop/web: spec.ports[1]: has no name; expected one"},
           Case{service("  ports:\n  - {port: 80}\n  - {port: 81, name: b}\n"), 6,
                "Service shop/web: spec.ports: [0] has no name; expected one"},
           Case{service("  selector: {app: web}\n"), 5,
                "Service shop/web: spec.ports: is missing; expected at least one port"},
           Case{service("  type: Cluster\n  ports: [{port: 80}]\n"), 5,
                "Service shop/web: spec.type: 'Cluster' is not one of ClusterIP, NodePort"},
           Case{service("  clusterIP: 10.96.0\n  ports: [{port: 80}]\n"), 5,
                "Service shop/web: spec.clusterIP: '10.96.0' is not an IP address"},
           Case{service("  clusterIP: none\n"), 5,
                "Service shop/web: spec.clusterIP: 'none' is not an IP address"},
           Case{service("  clusterIPs: [10.96.0.1]\n  ports: [{port: 80}]\n"), 5,
                "Service shop/web: spec.clusterIPs: the first element differs from clusterIP"},
           Case{service(
                    "  clusterIP: 10.96.0.1\n  clusterIPs: [10.96.0.2]\n  ports: [{port: 80}]\n"),
                6, "Service shop/web: spec.clusterIPs: the first element differs from clusterIP"},
           Case{service("  clusterIP: 10.96.0.1\n  clusterIPs: [10.96.0.1, None]\n"), 6,
                "Service shop/web: spec.clusterIPs[1]: 'None' goes with no other address"},
           Case{service("  clusterIP: None\n  clusterIPs: [None, 'fd00::1']\n"), 6,
                "Service shop/web: spec.clusterIPs[1]: 'None' goes with no other address"},
           Case{service("  clusterIP: 10.96.0.1\n  clusterIPs: [10.96.0.1, 10.96.0.2]\n"), 6,
                "Service shop/web: spec.clusterIPs[1]: a second address of the same family"},
           Case{
               service("  clusterIP: 10.96.0.1\n  clusterIPs: [10.96.0.1, 'fd00::1', 'fd00::2']\n"),
               6, "Service shop/web: spec.clusterIPs[2]: a third address"},
           Case{service("  type: NodePort\n  clusterIP: None\n  ports: [{port: 80}]\n"), 6,
                "Service shop/web: spec.clusterIP: 'None' goes with type ClusterIP only"},
           Case{service("  ipFamilies: [IPv5]\n  ports: [{port: 80}]\n"), 5,
                "Service shop/web: spec.ipFamilies[0]: 'IPv5' is not one of IPv4, IPv6"},
           Case{service("  ipFamilies: [IPv4, IPv4]\n  ports: [{port: 80}]\n"), 5,
                "Service shop/web: spec.ipFamilies[1]: the same family twice"},
           Case{service("  ipFamilies: [IPv4, IPv6]\n  ports: [{port: 80}]\n"), 5,
                "Service shop/web: spec.ipFamilyPolicy: two IP families; expected PreferDualStack"},
           Case{service("  clusterIP: 10.96.0.1\n  ipFamilies: [IPv6]\n  ports: [{port: 80}]\n"), 6,
                "Service shop/web: spec.ipFamilies[0]: 'IPv6' is not the family of clusterIPs[0], "
                "10.96.0.1"},
           Case{service("  clusterIP: 10.96.0.1\n  clusterIPs: [10.96.0.1, 'fd00::1']\n"
                        "  ipFamilyPolicy: SingleStack\n  ports: [{port: 80}]\n"),
                7,
                "Service shop/web: spec.ipFamilyPolicy: two IP families; expected PreferDualStack"},
           Case{service("  ipFamilyPolicy: Dual\n  ports: [{port: 80}]\n"), 5,
                "Service shop/web: spec.ipFamilyPolicy: 'Dual' is not one of SingleStack"},
           Case{service("  type: ExternalName\n"), 5,
                "Service shop/web: spec.externalName: is missing; expected a DNS name or an IP "
                "address"},
           Case{service("  type: ExternalName\n  externalName: a..b\n"), 6,
                "Service shop/web: spec.externalName: 'a..b' is not a DNS name or an IP address"},
           Case{service("  type: ExternalName\n  externalName: http://example.org\n"), 6,
                "Service shop/web: spec.externalName: 'http://example.org' is not a DNS name"},
           Case{service("  type: ExternalName\n  externalName: a.b\n  clusterIP: 10.96.0.1\n"), 7,
                "Service shop/web: spec.clusterIP: an ExternalName Service has no clusterIP"},
           Case{service(
                    "  type: ExternalName\n  externalName: a.b\n  ipFamilyPolicy: SingleStack\n"),
                7,
                "Service shop/web: spec.ipFamilyPolicy: an ExternalName Service has no IP family"},
           Case{service("  clusterIP: None\n  publishNotReadyAddresses: 'true'\n"), 6,
                "Service shop/web: spec.publishNotReadyAddresses: 'true' is not true or false"},
           Case{service("  clusterIP: None\n  selector: {app: 1.10}\n"), 6,
                "Service shop/web: spec.selector.app: the number '1.10' is not a string; put it in "
                "quotes"},
           Case{service("  clusterIP: None\n  selector: [app]\n"), 6,
                "Service shop/web: spec.selector: a sequence is not a mapping"},
           Case{service("  clusterIP: None\n  clusterIP: None\n"), 6,
                "Service shop/web: spec.clusterIP: is given twice; expected it once"},
           Case{"apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: 5\n",
                4, "Service shop/web: spec: the number '5' is not a mapping"},
       }) {
    expect_refused(c);
  }
}

TEST_CASE("bad metadata is refused with line, object, field and expectation") {
  for (const Case& c : {
           Case{named("{}"), 3, "Service: metadata.name: is missing; expected a DNS label"},
           Case{named("{name: on}"), 3,
                "Service: metadata.name: the boolean 'on' is not a string; put it in quotes"},
           Case{named("{name: 12}"), 3,
                "Service: metadata.name: the number '12' is not a string; put it in quotes"},
           Case{named("{name: [web]}"), 3, "Service: metadata.name: a sequence is not a string"},
           Case{named("{name: Web}"), 3, "Service: metadata.name: 'Web' is not a DNS label"},
           Case{named("{name: web.shop}"), 3,
                "Service: metadata.name: 'web.shop' is not a DNS label"},
           Case{named("{name: web, namespace: a_b}"), 3,
                "Service default/web: metadata.namespace: 'a_b' is not a DNS label"},
           Case{named("{name: web, labels: {a b: x}}"), 3,
                "Service default/web: metadata.labels: 'a b' is not a label key"},
           Case{named("{name: web, labels: {example.org/x: yes}}"), 3,
                "Service default/web: metadata.labels[example.org/x]: the boolean 'yes' is not a "
                "string; "
                "put it in quotes"},
           Case{named("{name: web, labels: {x: a/b}}"), 3,
                "Service default/web: metadata.labels.x: 'a/b' is not a label value"},
           Case{named("{name: web, labels: {x: a, x: b}}"), 3,
                "Service default/web: metadata.labels.x: is given twice"},
           Case{named("{name: web, resourceVersion: 12}"), 3,
                "Service default/web: metadata.resourceVersion: the number '12' is not a string; "
                "put"},
           Case{named("{name: web, resourceVersion: 12a}"), 3,
                "Service default/web: metadata.resourceVersion: '12a' is not a decimal number"},
           Case{named("{name: web, resourceVersion: '18446744073709551616'}"), 3,
                "Service default/web: metadata.resourceVersion: '18446744073709551616' is not a"},
           Case{"apiVersion: v1\nkind: Namespace\nmetadata: {name: a.b}\n", 3,
                "Namespace: metadata.name: 'a.b' is not a DNS label"},
           Case{"apiVersion: v1\nkind: Service\n", 1,
                "Service: metadata.name: is missing; expected a DNS label"},
           Case{"apiVersion: v1\nkind: Service\nmetadata: {name: web}\nkind: Service\n", 4,
                "Service default/web: kind: is given twice"},
       }) {
    expect_refused(c);
  }
}

TEST_CASE("a bad EndpointSlice is refused with line, object, field and expectation") {
  for (
      const Case& c : {
          Case{slice("endpoints: []\n"), 1,
               "EndpointSlice shop/web-1: addressType: is missing; expected one of IPv4, IPv6, "
               "FQDN"},
          Case{slice("addressType: ipv4\n"), 4,
               "EndpointSlice shop/web-1: addressType: 'ipv4' is not one of IPv4, IPv6, FQDN"},
          Case{slice("addressType: IPv4\nendpoints:\n- addresses: ['fd00::1']\n"), 6,
               "EndpointSlice shop/web-1: endpoints[0].addresses[0]: 'fd00::1' is not of the "
               "slice's "
               "addressType"},
          Case{slice("addressType: IPv6\nendpoints:\n- addresses: ['fd00::1', 10.0.0.1]\n"), 6,
               "EndpointSlice shop/web-1: endpoints[0].addresses[1]: '10.0.0.1' is not of the"},
          Case{slice("addressType: IPv4\nendpoints:\n- addresses: [web-0]\n"), 6,
               "EndpointSlice shop/web-1: endpoints[0].addresses[0]: 'web-0' is not an IP address"},
          Case{slice("addressType: IPv4\nendpoints:\n- addresses: []\n"), 6,
               "EndpointSlice shop/web-1: endpoints[0].addresses: a sequence is not a sequence of "
               "at "
               "least one address"},
          Case{slice("addressType: IPv4\nendpoints:\n- hostname: a\n"), 6,
               "EndpointSlice shop/web-1: endpoints[0].addresses: is missing; expected a sequence "
               "of"},
          Case{slice("addressType: IPv4\nendpoints:\n- {addresses: [10.0.0.1], hostname: A}\n"), 6,
               "EndpointSlice shop/web-1: endpoints[0].hostname: 'A' is not a DNS label"},
          Case{slice("addressType: IPv4\nendpoints:\n- {addresses: [10.0.0.1], conditions: {ready: "
                     "1}}\n"),
               6,
               "EndpointSlice shop/web-1: endpoints[0].conditions.ready: the number '1' is not "
               "true"},
          Case{
              slice(
                  "addressType: IPv4\nendpoints:\n- {addresses: [10.0.0.1], targetRef: {kind: Pod, "
                  "name: -}}\n"),
              6,
              "EndpointSlice shop/web-1: endpoints[0].targetRef.name: '-' is not a DNS subdomain"},
          Case{slice("addressType: IPv4\nports: [{port: 1}, {port: 2}]\n"), 5,
               "EndpointSlice shop/web-1: ports[1]: the name '' is used by another port"},
          Case{slice("addressType: IPv4\nports: [{name: A, port: 1}]\n"), 5,
               "EndpointSlice shop/web-1: ports[0].name: 'A' is not a DNS label"},
      }) {
    expect_refused(c);
  }
}

TEST_CASE("a bad Pod is refused with line, object, field and expectation") {
  for (const Case& c : {
           Case{pod("spec: {hostname: a.b}\n"), 4,
                "Pod shop/web-0: spec.hostname: 'a.b' is not a DNS"},
           Case{pod("spec: {subdomain: A}\n"), 4,
                "Pod shop/web-0: spec.subdomain: 'A' is not a DNS"},
           Case{pod("spec: {containers: [{ports: [{name: 1, containerPort: 1}]}]}\n"), 4,
                "Pod shop/web-0: spec.containers[0].ports[0].name: the number '1' is not a string"},
           Case{pod("spec: {containers: [{ports: [{name: '1', containerPort: 1}]}]}\n"), 4,
                "Pod shop/web-0: spec.containers[0].ports[0].name: '1' is not a port name"},
           Case{pod("spec: {containers: [{ports: [{name: a}]}]}\n"), 4,
                "Pod shop/web-0: spec.containers[0].ports[0].containerPort: is missing; expected a "
                "port"},
           Case{pod("status: {phase: running}\n"), 4,
                "Pod shop/web-0: status.phase: 'running' is not one of Pending, Running"},
           Case{pod("status: {podIP: x}\n"), 4,
                "Pod shop/web-0: status.podIP: 'x' is not an IP address"},
           Case{pod("status: {podIPs: [{ip: 10.0.0.1}, {ip: 10.0.0.2}]}\n"), 4,
                "Pod shop/web-0: status.podIPs[1].ip: a second address of one family"},
           Case{pod("status: {conditions: [{type: Ready, status: True}]}\n"), 4,
                "Pod shop/web-0: status.conditions[0].status: the boolean 'True' is not a string; "
                "put"},
       }) {
    expect_refused(c);
  }
}

TEST_CASE("what is no object is refused with the line") {
  for (const Case& c : {
           Case{"- a\n", 1, "a sequence is not a Kubernetes object"},
           Case{"text\n", 1, "'text' is not a Kubernetes object"},
           Case{"a: b\n", 1, "kind: is missing; expected the object's kind, such as Service"},
           Case{"kind: Service\n", 1, "apiVersion: is missing; expected the object's apiVersion"},
           Case{"apiVersion: 1\nkind: Service\n", 1,
                "apiVersion: the number '1' is not a string; put"},
           Case{"apiVersion: v2\nkind: Service\n", 1, "Service: apiVersion: 'v2' is not v1"},
           Case{"apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice\n", 1,
                "EndpointSlice: apiVersion: 'discovery.k8s.io/v1beta1' is not discovery.k8s.io/v1"},
           Case{"apiVersion: v1\nkind: List\nitems: 5\n", 3,
                "items: the number '5' is not a sequence"},
           Case{"apiVersion: v1\nkind: List\nitems: [5]\n", 3,
                "items[0]: the number '5' is not a Kubernetes object"},
       }) {
    expect_refused(c);
  }
}

TEST_CASE("a problem names the object that is left out, as far as it can be told") {
  const auto only = [](const std::string& yaml) {
    const Manifests manifests = decode_manifests(yaml);
    REQUIRE(manifests.problems.size() == 1);
    return manifests.problems.front();
  };
  CHECK(only(service("  ports: []\n")).kind == ObjectKind::Service);
  CHECK(only(service("  ports: []\n")).key == ObjectKey{"shop", "web"});
  CHECK(only(named("{namespace: shop}")).kind == ObjectKind::Service);
  CHECK(only(named("{namespace: shop}")).key.name.empty());
  CHECK_FALSE(only("a: b\n").kind.has_value());
  const auto in_list = only(
      "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, "
      "metadata: {name: p}, status: {podIP: x}}\n");
  CHECK(in_list.kind == ObjectKind::Pod);
  CHECK(in_list.key == ObjectKey{"default", "p"});
  CHECK(in_list.message ==
        "line 4: Pod default/p: items[0].status.podIP: 'x' is not an IP address");
}

TEST_CASE("what is no YAML ends the file and says so") {
  const Manifests manifests = decode_manifests(
      "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\na: [1\n---\napiVersion: v1\n");
  CHECK_FALSE(manifests.is_complete);
  REQUIRE(manifests.problems.size() == 1);
  CHECK(manifests.problems.front().message.starts_with("line 6, column "));
}

TEST_CASE("the number of problems is bounded") {
  std::string yaml;
  for (std::size_t i = 0; i < MaxManifestProblems + 50; ++i) {
    yaml += "---\na: b\n";
  }
  const Manifests manifests = decode_manifests(yaml);
  CHECK(manifests.problems.size() == MaxManifestProblems + 1);
  CHECK_FALSE(manifests.is_complete);
}

TEST_CASE("a file cut off anywhere is decoded without harm") {
  const std::string whole =
      between(service("  clusterIP: 10.96.0.1\n  ports:\n  - name: \"a\"\n"
                      "    port: 80\n  selector: {app: 'web', <<: &x {b: c}}\n")) +
      "---\n" + slice("addressType: IPv4\nendpoints: [{addresses: [10.0.0.1]}]\n") + "---\n" +
      pod("status: {podIP: 10.0.0.1}\n# \xc3\xa4 end |\n");
  CHECK(decode_manifests(whole).problems.empty());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    const Manifests manifests = decode_manifests(std::string_view(whole).substr(0, size));
    CHECK(manifests.services.size() <= 1);
    CHECK(manifests.namespaces.size() <= 2);
  }
}

}  // namespace waypost::kube
