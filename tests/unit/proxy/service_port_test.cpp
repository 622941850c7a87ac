#include "proxy/service_port.h"

#include "world.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::proxy {
namespace {

std::string show(const ServicePortView& view) {
  std::string text = view.name + "/" + std::string(kube::to_text(view.protocol)) + " " +
                     view.cluster_ip.to_text() + ":" + std::to_string(view.port);
  text += view.node_port == 0 ? "" : " np" + std::to_string(view.node_port);
  for (const IpAddress& address : view.external_ips) {
    text += " ext" + address.to_text();
  }
  for (const IpAddress& address : view.load_balancer_ips) {
    text += " lb" + address.to_text();
  }
  for (const IpPrefix& range : view.source_ranges) {
    text += " from" + range.to_text();
  }
  text += view.is_external_local ? " eLocal" : "";
  text += view.is_internal_local ? " iLocal" : "";
  text +=
      view.health_check_node_port == 0 ? "" : " hc" + std::to_string(view.health_check_node_port);
  text += " ->";
  for (const PortEndpoint& endpoint : view.endpoints) {
    text += " " + endpoint.to_text() + (endpoint.is_local ? "*" : "") +
            (endpoint.ready ? "" : "-") + (endpoint.terminating ? "t" : "");
  }
  return text;
}

// The ports of ns/svc in one family, one a line.
std::string view(std::string_view yaml, kube::IpFamily family = kube::IpFamily::V4) {
  const ProxyWorld world(yaml);
  std::string text;
  for (const ServicePortView& port : view_ports(*world.cache.find({"ns", "svc"}), family, "here")) {
    text += show(port) + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("ports find their endpoints by name and protocol") {
  CHECK(view(service("ns/svc", "clusterIP: 172.30.1.1, ports: [{port: 80}]") +
             slice("ns/svc", "{port: 8080}", {"10.1.1.1 here", "10.1.1.2 there"})) ==
        "ns/svc/tcp 172.30.1.1:80 -> 10.1.1.1:8080* 10.1.1.2:8080\n");
  CHECK(view(service("ns/svc",
                     "clusterIP: 172.30.1.1, ports: [{name: a, port: 80}, {name: b, port: 81}]") +
             slice("ns/svc", "{name: a, port: 1}, {name: b, port: 2}", {"10.1.1.1"}) +
             slice("ns/svc", "{name: a, port: 3}", {"10.1.1.2"}, "svc-2")) ==
        "ns/svc:a/tcp 172.30.1.1:80 -> 10.1.1.1:1 10.1.1.2:3\n"
        "ns/svc:b/tcp 172.30.1.1:81 -> 10.1.1.1:2\n");
  // A port of another protocol, or without a number, is another port.
  CHECK(view(service("ns/svc", "clusterIP: 172.30.1.1, ports: [{name: a, port: 80}]") +
             slice("ns/svc", "{name: a, protocol: UDP, port: 1}", {"10.1.1.1"})) ==
        "ns/svc:a/tcp 172.30.1.1:80 ->\n");
  CHECK(view(service("ns/svc", "clusterIP: 172.30.1.1, ports: [{port: 80}]") +
             slice("ns/svc", "{name: ''}", {"10.1.1.1"})) == "ns/svc/tcp 172.30.1.1:80 ->\n");
  CHECK(view(service("ns/svc", "clusterIP: 172.30.1.1, ports: [{port: 80}]")) ==
        "ns/svc/tcp 172.30.1.1:80 ->\n");
}

TEST_CASE("an endpoint in two slices is one, and the one that is not terminating") {
  const std::string spec = service("ns/svc", "clusterIP: 172.30.1.1, ports: [{port: 80}]");
  const std::string expected = "ns/svc/tcp 172.30.1.1:80 -> 10.1.1.1:80\n";
  CHECK(view(spec + slice("ns/svc", "{port: 80}", {"10.1.1.1"}, "a") +
             slice("ns/svc", "{port: 80}", {"10.1.1.1 ending"}, "b")) == expected);
  CHECK(view(spec + slice("ns/svc", "{port: 80}", {"10.1.1.1 ending"}, "a") +
             slice("ns/svc", "{port: 80}", {"10.1.1.1"}, "b")) == expected);
}

TEST_CASE("of an endpoint's addresses the first is used") {
  CHECK(view(service("ns/svc", "clusterIP: 172.30.1.1, ports: [{port: 80}]") +
             "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a, "
             "namespace: ns, labels: {kubernetes.io/service-name: svc}}\naddressType: IPv4\n"
             "ports: [{port: 80}]\nendpoints: [{addresses: [10.1.1.9, 10.1.1.2]}, "
             "{addresses: [10.1.1.3]}]\n") ==
        "ns/svc/tcp 172.30.1.1:80 -> 10.1.1.3:80 10.1.1.9:80\n");
}

TEST_CASE("each family sees its own addresses") {
  const std::string both =
      service("ns/svc",
              "type: LoadBalancer, ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv4, IPv6], "
              "clusterIP: 172.30.1.1, clusterIPs: [172.30.1.1, 'fd00:172:30::1'], externalIPs: "
              "[192.168.99.11, 'fd00:99::11'], loadBalancerSourceRanges: [203.0.113.0/25, "
              "'2001:db8:2::/48'], ports: [{port: 80, nodePort: 3001}]",
              "status: {loadBalancer: {ingress: [{ip: 1.2.3.4}, {ip: 'fd00:1::4'}]}}") +
      slice("ns/svc", "{port: 80}", {"10.1.1.1"}, "v4") +
      slice("ns/svc", "{port: 80}", {"fd00:10::1"}, "v6");
  CHECK(view(both) ==
        "ns/svc/tcp 172.30.1.1:80 np3001 ext192.168.99.11 lb1.2.3.4 from203.0.113.0/25 -> "
        "10.1.1.1:80\n");
  CHECK(view(both, kube::IpFamily::V6) ==
        "ns/svc/tcp fd00:172:30::1:80 np3001 extfd00:99::11 lbfd00:1::4 from2001:db8:2::/48 -> "
        "[fd00:10::1]:80\n");
  CHECK(view(service("ns/svc", "clusterIP: 172.30.1.1, ports: [{port: 80}]"), kube::IpFamily::V6) ==
        "");
}

TEST_CASE("some Services are not the proxy's business") {
  CHECK(view(service("ns/svc", "clusterIP: None, ports: [{port: 80}]")) == "");
  CHECK(view(service("ns/svc", "type: ExternalName, externalName: a.example.org")) == "");
  CHECK(view(service("ns/svc", "ports: [{port: 80}]")) == "");  // No ClusterIP yet.
  CHECK(view("apiVersion: v1\nkind: Service\nmetadata: {name: svc, namespace: ns, labels: "
             "{service.kubernetes.io/service-proxy-name: x}}\nspec: {clusterIP: 172.30.1.1, ports: "
             "[{port: 80}]}\n") == "");
  CHECK(view(slice("ns/svc", "{port: 80}", {"10.1.1.1"})) == "");  // Slices alone.
}

TEST_CASE("policies count where they mean something") {
  CHECK(view(service("ns/svc",
                     "clusterIP: 172.30.1.1, externalTrafficPolicy: Local, "
                     "internalTrafficPolicy: Local, ports: [{port: 80}]")) ==
        "ns/svc/tcp 172.30.1.1:80 iLocal ->\n");
  CHECK(view(service("ns/svc",
                     "type: NodePort, clusterIP: 172.30.1.1, externalTrafficPolicy: "
                     "Local, ports: [{port: 80, nodePort: 3001}]")) ==
        "ns/svc/tcp 172.30.1.1:80 np3001 eLocal ->\n");
  CHECK(view(service("ns/svc",
                     "clusterIP: 172.30.1.1, externalTrafficPolicy: Local, externalIPs: "
                     "[192.0.2.1], ports: [{port: 80}]")) ==
        "ns/svc/tcp 172.30.1.1:80 ext192.0.2.1 eLocal ->\n");
  const std::string health =
      ", clusterIP: 172.30.1.1, healthCheckNodePort: 30000, ports: [{port: "
      "80, nodePort: 3001}], externalTrafficPolicy: ";
  CHECK(view(service("ns/svc", "type: LoadBalancer" + health + "Local")) ==
        "ns/svc/tcp 172.30.1.1:80 np3001 eLocal hc30000 ->\n");
  CHECK(view(service("ns/svc", "type: LoadBalancer" + health + "Cluster")) ==
        "ns/svc/tcp 172.30.1.1:80 np3001 ->\n");
  // Everybody is no restriction.
  CHECK(view(service("ns/svc",
                     "type: LoadBalancer, clusterIP: 172.30.1.1, loadBalancerSourceRanges: "
                     "[10.0.0.0/8, 0.0.0.0/0], ports: [{port: 80, nodePort: 3001}]")) ==
        "ns/svc/tcp 172.30.1.1:80 np3001 ->\n");
}

}  // namespace waypost::proxy
