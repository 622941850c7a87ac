#include "kube/traffic.h"

#include "kube/traffic_decoders.h"
#include "kube/yaml_decoder.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::kube {
namespace {

constexpr DecodeOptions WithTraffic{.traffic = true};

std::string show(const Service& service) {
  if (!service.traffic) {
    return "no traffic";
  }
  const ServiceTraffic& traffic = *service.traffic;
  std::string text = traffic.external_policy == TrafficPolicy::Local ? "e" : "";
  text += traffic.internal_policy == TrafficPolicy::Local ? "i" : "";
  for (const std::uint16_t port : traffic.node_ports) {
    text += " np" + std::to_string(port);
  }
  for (const IpAddress& address : traffic.external_ips) {
    text += " ext" + address.to_text();
  }
  for (const IpAddress& address : traffic.load_balancer_ips) {
    text += " lb" + address.to_text();
  }
  for (const IpPrefix& range : traffic.source_ranges) {
    text += " from" + range.to_text();
  }
  text += traffic.affinity_seconds == 0 ? "" : " sticky" + std::to_string(traffic.affinity_seconds);
  text += traffic.health_check_node_port == 0
              ? ""
              : " health" + std::to_string(traffic.health_check_node_port);
  text += traffic.has_other_proxy ? " other" : "";
  return text;
}

// What a Service with this spec, and what follows it, decodes to; or its problem.
std::string decode(const std::string& spec, const std::string& more = "") {
  const Manifests manifests = decode_manifests(
      "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {" + spec + "}\n" + more,
      WithTraffic);
  if (!manifests.problems.empty()) {
    return manifests.problems.front().message;
  }
  return show(manifests.services.at(0).object);
}

}  // namespace

TEST_CASE("how a Service's addresses are reached") {
  CHECK(decode("ports: [{port: 80}]") == " np0");
  CHECK(decode(
            "type: NodePort, ports: [{name: a, port: 80, nodePort: 30080}, {name: b, port: 81}]") ==
        " np30080 np0");
  CHECK(decode("ports: [{port: 80, nodePort: 0}], healthCheckNodePort: 0") == " np0");
  CHECK(decode("ports: [{port: 80}], externalTrafficPolicy: Local, internalTrafficPolicy: Local, "
               "healthCheckNodePort: 30000") == "ei np0 health30000");
  CHECK(decode("ports: [{port: 80}], externalTrafficPolicy: Cluster") == " np0");
  CHECK(decode("ports: [{port: 80}], externalIPs: [192.0.2.1, '2001:db8::1']") ==
        " np0 ext192.0.2.1 ext2001:db8::1");
  CHECK(decode("ports: [{port: 80}], sessionAffinity: ClientIP") == " np0 sticky10800");
  CHECK(decode("ports: [{port: 80}], sessionAffinity: ClientIP, sessionAffinityConfig: "
               "{clientIP: {timeoutSeconds: 30}}") == " np0 sticky30");
  for (const char* seconds : {"1", "86400"}) {
    CHECK(decode("ports: [{port: 80}], sessionAffinity: ClientIP, sessionAffinityConfig: "
                 "{clientIP: {timeoutSeconds: " +
                 std::string(seconds) + "}}") == " np0 sticky" + std::string(seconds));
  }
  CHECK(decode("ports: [{port: 80}], sessionAffinity: None") == " np0");
}

TEST_CASE("a load balancer that wants the traffic itself gets it") {
  CHECK(decode("ports: [{port: 80}]",
               "status: {loadBalancer: {ingress: [{ip: 1.2.3.4}, {ip: 1.2.3.5, ipMode: VIP}, "
               "{ip: 1.2.3.6, ipMode: Proxy}, {hostname: lb.example.org}]}}\n") ==
        " np0 lb1.2.3.4 lb1.2.3.5");
}

TEST_CASE("addresses that the API server once admitted are normalized") {
  CHECK(decode("ports: [{port: 80}], externalIPs: [192.168.099.022]") == " np0 ext192.168.99.22");
  CHECK(
      decode("ports: [{port: 80}], loadBalancerSourceRanges: [' 203.0.113.000/025', 10.1.2.3/8]") ==
      " np0 from203.0.113.0/25 from10.0.0.0/8");
  CHECK(decode("ports: [{port: 80}], loadBalancerSourceRanges: [0.0.0.0/0, '2001:db8::5/32']") ==
        " np0 from0.0.0.0/0 from2001:db8::/32");
}

TEST_CASE("a Service for another proxy says so") {
  const Manifests manifests = decode_manifests(
      "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  labels: "
      "{service.kubernetes.io/service-proxy-name: x}\nspec: {ports: [{port: 80}]}\n",
      WithTraffic);
  REQUIRE(manifests.problems.empty());
  CHECK(show(manifests.services.at(0).object) == " np0 other");
}

TEST_CASE("a Service's bad traffic fields are named") {
  const auto refused = [](const std::string& spec, const std::string& expected) {
    CHECK_MESSAGE(decode("ports: [{port: 80}], " + spec).find(expected) != std::string::npos,
                  decode("ports: [{port: 80}], " + spec));
  };
  refused("externalIPs: [300.1.1.1]", "spec.externalIPs[0]: '300.1.1.1' is not an IP address");
  refused("loadBalancerSourceRanges: [10.0.0.0]", "is not an address range");
  refused("loadBalancerSourceRanges: [10.0.0.0/33]", "is not an address range");
  refused("externalTrafficPolicy: local", "is not one of Cluster, Local");
  refused("sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}",
          "is not a number of seconds 1..86400");
  refused("sessionAffinity: Cookie", "is not one of None, ClientIP");
  refused("sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}",
          "is not a number of seconds 1..86400");
  refused("healthCheckNodePort: 70000", "is not a port number");
}

TEST_CASE("endpoints know their node and for whom they are meant") {
  const Manifests manifests = decode_manifests(R"(
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: a
  annotations: {endpoints.kubernetes.io/last-change-trigger-time: "2026-01-31T12:00:00.25Z"}
addressType: IPv4
endpoints:
- {addresses: [10.0.0.1], nodeName: n1, hints: {forZones: [{name: z1}, {name: z2}]}}
- {addresses: [10.0.0.2, 10.0.0.3], nodeName: n2, hints: {forNodes: [{name: n2}]}}
- {addresses: [10.0.0.4]}
)",
                                               WithTraffic);
  REQUIRE(manifests.problems.empty());
  const EndpointSlice& slice = manifests.slices.at(0).object;
  REQUIRE(slice.traffic);
  const Placements& places = slice.traffic->placements;
  REQUIRE(places.size() == 4);
  CHECK(places.node(0) == "n1");
  CHECK(places.zone_hints(0) == "z1,z2");
  CHECK(places.node_hints(0) == "");
  CHECK(places.node(2) == "n2");
  CHECK(places.node_hints(2) == "n2");
  CHECK_FALSE(places.is_further(1));
  CHECK(places.is_further(2));
  CHECK_FALSE(places.is_further(3));
  CHECK(places.node(3) == "");
  CHECK(places.node(4) == "");
  CHECK(slice.traffic->trigger_time_ms == 1769860800250);
}

TEST_CASE("traffic is decoded only when it is asked for") {
  const Manifests manifests = decode_manifests(
      "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}], "
      "externalIPs: [nonsense]}\n---\n"
      "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a}\naddressType: "
      "IPv4\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {nodeName: n}\n");
  REQUIRE(manifests.problems.empty());
  CHECK_FALSE(manifests.services.at(0).object.traffic);
  CHECK_FALSE(manifests.slices.at(0).object.traffic);
  CHECK(manifests.pods.at(0).object.node_name.empty());
}

TEST_CASE("parts are compared by value") {
  Service a;
  Service b;
  a.traffic = SharedPart(ServiceTraffic{.node_ports = {30000}});
  b.traffic = SharedPart(ServiceTraffic{.node_ports = {30000}});
  CHECK(a == b);
  b.traffic = SharedPart(ServiceTraffic{.node_ports = {30001}});
  CHECK_FALSE(a == b);
  CHECK_FALSE(a == Service());
}

TEST_CASE("a name is found in a list of names as a whole") {
  CHECK(has_name("a,bc,d", "bc"));
  CHECK(has_name("a,bc,d", "d"));
  CHECK_FALSE(has_name("a,bc,d", "b"));
  CHECK_FALSE(has_name("a,bc,d", ""));
  CHECK_FALSE(has_name("", ""));
}

TEST_CASE("times are read with fractions and zones, and nothing else is a time") {
  CHECK(parse_time_ms("1970-01-01T00:00:01Z") == 1000);
  CHECK(parse_time_ms("1970-01-01T01:00:00+01:00") == 0);
  CHECK(parse_time_ms("1970-01-01T00:00:00.123456789Z") == 123);
  for (const char* text :
       {"", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z", "1970-01-01T24:00:00Z",
        "1970-01-01T00:00:00+1:00", "x970-01-01T00:00:00Z"}) {
    CHECK_MESSAGE(parse_time_ms(text) == std::nullopt, text);
  }
}

}  // namespace waypost::kube
