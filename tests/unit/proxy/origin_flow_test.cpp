// What happens to packets where several conditions meet: policies seen from a Pod, the node and
// outside, endpoints that end, topology, source ranges, families and protocols.

#include "world.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::proxy {
namespace {

constexpr std::string_view Reachable =
    "type: LoadBalancer, clusterIP: 172.30.0.41, externalIPs: [192.168.99.11], ports: [{port: 80, "
    "nodePort: 3001}]";

std::string reachable(std::string_view more) {
  return service("ns/svc", std::string(Reachable) + std::string(more),
                 "status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}");
}

std::string endpoints(std::initializer_list<std::string_view> all) {
  return slice("ns/svc", "{port: 80}", all);
}

}  // namespace

// ---- Policies, by where a packet comes from ---------------------------------------------------

TEST_CASE("internal policy Local is about the ClusterIP, whoever asks") {
  ProxyWorld some(reachable(", internalTrafficPolicy: Local") +
                  endpoints({"10.180.0.1 there", "10.180.2.1 here"}));
  check_flows(some, {{"pod > 172.30.0.41:80", "10.180.2.1:80"},
                     {"node > 172.30.0.41:80", "10.180.2.1:80 masq"},
                     {"ext > 172.30.0.41:80", "10.180.2.1:80 masq"},
                     {"ext > 192.168.99.11:80", "10.180.0.1:80, 10.180.2.1:80 masq"},
                     {"ext > 192.168.0.2:3001", "10.180.0.1:80, 10.180.2.1:80 masq"}});
  ProxyWorld none(reachable(", internalTrafficPolicy: Local") + endpoints({"10.180.0.1 there"}));
  check_flows(none, {{"pod > 172.30.0.41:80", "DROP"},
                     {"node > 172.30.0.41:80", "DROP"},
                     {"ext > 172.30.0.41:80", "DROP"},
                     {"pod > 192.168.0.2:3001", "10.180.0.1:80 masq"},
                     {"ext > 1.2.3.4:80", "10.180.0.1:80 masq"}});
}

TEST_CASE("both policies Local") {
  ProxyWorld some(reachable(", internalTrafficPolicy: Local, externalTrafficPolicy: Local") +
                  endpoints({"10.180.0.1 there", "10.180.2.1 here"}));
  check_flows(some, {{"pod > 172.30.0.41:80", "10.180.2.1:80"},
                     {"ext > 172.30.0.41:80", "10.180.2.1:80 masq"},
                     // From within the cluster the external addresses lead everywhere.
                     {"pod > 1.2.3.4:80", "10.180.0.1:80, 10.180.2.1:80"},
                     {"node > 1.2.3.4:80", "10.180.0.1:80, 10.180.2.1:80 masq"},
                     {"node > 192.168.0.2:3001", "10.180.0.1:80, 10.180.2.1:80 masq"},
                     {"ext > 192.168.99.11:80", "10.180.2.1:80"},
                     {"ext > 1.2.3.4:80", "10.180.2.1:80"},
                     {"ext > 192.168.0.2:3001", "10.180.2.1:80"}});
  ProxyWorld none(reachable(", internalTrafficPolicy: Local, externalTrafficPolicy: Local") +
                  endpoints({"10.180.0.1 there"}));
  check_flows(none, {{"pod > 172.30.0.41:80", "DROP"},
                     {"pod > 1.2.3.4:80", "10.180.0.1:80"},
                     {"node > 192.168.0.2:3001", "10.180.0.1:80 masq"},
                     {"ext > 192.168.99.11:80", "DROP"},
                     {"ext > 1.2.3.4:80", "DROP"},
                     {"ext > 192.168.0.2:3001", "DROP"}});
}

TEST_CASE("ending endpoints take over for each policy by itself") {
  // Here only one that ends, elsewhere a ready one.
  const std::string mixed = endpoints({"10.0.1.1 here ending", "10.0.1.2 there"});
  ProxyWorld local(reachable(", internalTrafficPolicy: Local, externalTrafficPolicy: Local") +
                   mixed);
  check_flows(local, {{"pod > 172.30.0.41:80", "10.0.1.1:80"},
                      {"ext > 1.2.3.4:80", "10.0.1.1:80"},
                      {"ext > 192.168.0.2:3001", "10.0.1.1:80"},
                      {"ext > 192.168.99.11:80", "10.0.1.1:80"},
                      {"pod > 192.168.0.2:3001", "10.0.1.2:80"},
                      {"node > 192.168.0.2:3001", "10.0.1.2:80 masq"}});
  ProxyWorld internal(reachable(", internalTrafficPolicy: Local") + mixed);
  check_flows(internal,
              {{"pod > 172.30.0.41:80", "10.0.1.1:80"}, {"ext > 1.2.3.4:80", "10.0.1.2:80 masq"}});
  ProxyWorld external(reachable(", externalTrafficPolicy: Local") + mixed);
  check_flows(external,
              {{"pod > 172.30.0.41:80", "10.0.1.2:80"}, {"ext > 1.2.3.4:80", "10.0.1.1:80"}});
  // One that ends here and does not serve is nothing.
  ProxyWorld dead(reachable(", internalTrafficPolicy: Local, externalTrafficPolicy: Local") +
                  endpoints({"10.0.1.1 here dead", "10.0.1.2 there"}));
  check_flows(dead, {{"pod > 172.30.0.41:80", "DROP"},
                     {"ext > 1.2.3.4:80", "DROP"},
                     {"pod > 1.2.3.4:80", "10.0.1.2:80"}});
}

TEST_CASE("masquerading everything leaves what policy Local lets in from outside as it is") {
  Config config = test_config();
  config.masquerade_all = true;
  ProxyWorld world(reachable(", externalTrafficPolicy: Local") +
                       endpoints({"10.180.0.1 there", "10.180.2.1 here"}),
                   config);
  check_flows(world, {{"pod > 172.30.0.41:80", "10.180.0.1:80, 10.180.2.1:80 masq"},
                      {"ext > 192.168.0.2:3001", "10.180.2.1:80"}});
}

// ---- Topology ---------------------------------------------------------------------------------

TEST_CASE("trafficDistribution is what the hints of the endpoints say") {
  struct Case {
    std::string_view distribution;
    std::string_view zone;
    std::initializer_list<std::string_view> endpoints;
    std::string_view expected;
  };
  for (const Case& c : {
           Case{"PreferClose",
                "a",
                {"10.0.1.1 there zones=a", "10.0.1.2 there zones=b"},
                "10.0.1.1:80"},
           Case{"PreferSameZone",
                "b",
                {"10.0.1.1 here zones=a", "10.0.1.2 there zones=b"},
                "10.0.1.2:80"},
           // No endpoint for this zone: all of them.
           Case{"PreferSameZone",
                "c",
                {"10.0.1.1 there zones=a", "10.0.1.2 there zones=b"},
                "10.0.1.1:80, 10.0.1.2:80"},
           // The node has no zone: all of them.
           Case{"PreferSameZone",
                "",
                {"10.0.1.1 there zones=a", "10.0.1.2 there zones=b"},
                "10.0.1.1:80, 10.0.1.2:80"},
           // All or none.
           Case{"PreferSameZone",
                "a",
                {"10.0.1.1 there zones=a", "10.0.1.2 there"},
                "10.0.1.1:80, 10.0.1.2:80"},
           Case{"PreferSameNode",
                "a",
                {"10.0.1.1 here zones=a nodes=here", "10.0.1.2 there zones=a nodes=there"},
                "10.0.1.1:80"},
           Case{"PreferSameNode",
                "",
                {"10.0.1.1 here nodes=here", "10.0.1.2 there nodes=there"},
                "10.0.1.1:80"},
           // None on the node: the zone; none there either: all.
           Case{"PreferSameNode",
                "a",
                {"10.0.1.1 there zones=a nodes=there", "10.0.1.2 there zones=b nodes=there"},
                "10.0.1.1:80"},
           Case{"PreferSameNode",
                "c",
                {"10.0.1.1 there zones=a nodes=there", "10.0.1.2 there zones=b nodes=there"},
                "10.0.1.1:80, 10.0.1.2:80"},
           // The node's own one ends: it is not ready, and neither its hints nor itself count.
           Case{"PreferSameNode",
                "a",
                {"10.0.1.1 here zones=a nodes=here ending", "10.0.1.2 there zones=a nodes=there",
                 "10.0.1.3 there zones=b nodes=there"},
                "10.0.1.2:80"},
           Case{"PreferSameZone",
                "a",
                {"10.0.1.1 there zones=a ending", "10.0.1.2 there zones=b"},
                "10.0.1.2:80"},
           Case{"PreferSameZone",
                "a",
                {"10.0.1.1 there zones=a", "10.0.1.2 there ending"},
                "10.0.1.1:80"},
           // All end: they serve whatever zone they are for.
           Case{"PreferSameZone",
                "a",
                {"10.0.1.1 there zones=a ending", "10.0.1.2 there zones=b ending"},
                "10.0.1.1:80, 10.0.1.2:80"},
       }) {
    INFO(c.distribution << " in zone '" << c.zone << "', expected " << c.expected);
    NodeFacts facts = test_facts();
    facts.zone = c.zone;
    ProxyWorld world(
        reachable(", trafficDistribution: " + std::string(c.distribution)) + endpoints(c.endpoints),
        test_config(), facts);
    const std::string masq = std::string(c.expected) + " masq";
    check_flows(world, {{"pod > 172.30.0.41:80", c.expected},
                        {"node > 172.30.0.41:80", masq},
                        {"ext > 192.168.0.2:3001", masq},
                        {"ext > 1.2.3.4:80", masq}});
  }
}

TEST_CASE("policy Local does not look at hints") {
  ProxyWorld world(
      reachable(", internalTrafficPolicy: Local, externalTrafficPolicy: Local") +
      endpoints({"10.0.1.1 here zones=b nodes=there", "10.0.1.2 there zones=a nodes=here"}));
  check_flows(world, {{"pod > 172.30.0.41:80", "10.0.1.1:80"},
                      {"ext > 192.168.0.2:3001", "10.0.1.1:80"},
                      {"pod > 192.168.0.2:3001", "10.0.1.2:80"}});
}

// ---- Source ranges ----------------------------------------------------------------------------

TEST_CASE("source ranges with policy Local, and without endpoints") {
  const std::string_view ranges = ", loadBalancerSourceRanges: [203.0.113.0/25, 10.0.0.0/8]";
  const std::string_view local =
      ", loadBalancerSourceRanges: [203.0.113.0/25, 10.0.0.0/8], externalTrafficPolicy: Local";
  ProxyWorld some(reachable(local) + endpoints({"10.180.0.1 there", "10.180.2.1 here"}));
  check_flows(some, {{"ext > 1.2.3.4:80", "10.180.2.1:80"},
                     {"blocked > 1.2.3.4:80", "DROP"},
                     {"pod > 1.2.3.4:80", "10.180.0.1:80, 10.180.2.1:80"},
                     // The node is in no range.
                     {"node > 1.2.3.4:80", "DROP"},
                     // The ranges are about the balancer's address only.
                     {"blocked > 192.168.99.11:80", "10.180.2.1:80"},
                     {"blocked > 192.168.0.2:3001", "10.180.2.1:80"},
                     {"node > 172.30.0.41:80", "10.180.0.1:80, 10.180.2.1:80 masq"}});
  ProxyWorld remote(reachable(local) + endpoints({"10.180.0.1 there"}));
  check_flows(remote, {{"ext > 1.2.3.4:80", "DROP"},
                       {"blocked > 1.2.3.4:80", "DROP"},
                       {"pod > 1.2.3.4:80", "10.180.0.1:80"}});
  // Nothing to protect: everybody is told at once.
  ProxyWorld none(reachable(ranges));
  check_flows(none, {{"ext > 1.2.3.4:80", "REJECT"}, {"blocked > 1.2.3.4:80", "REJECT"}});
}

TEST_CASE("source ranges are those of the family, and a range for everybody is none") {
  const auto world_with = [](std::string_view ranges) {
    return service("ns/svc",
                   "type: LoadBalancer, ipFamilyPolicy: RequireDualStack, clusterIP: 172.30.0.41, "
                   "clusterIPs: [172.30.0.41, 'fd00:172:30::41'], loadBalancerSourceRanges: [" +
                       std::string(ranges) + "], ports: [{port: 80, nodePort: 3001}]",
                   "status: {loadBalancer: {ingress: [{ip: 1.2.3.4}, {ip: 'fd00:1::4'}]}}") +
           slice("ns/svc", "{port: 80}", {"10.180.0.1"}, "v4") +
           slice("ns/svc", "{port: 80}", {"fd00:10::9"}, "v6");
  };
  // The node's own address is in the range of IPv6 only.
  ProxyWorld both(world_with("203.0.113.0/25, '2001:db8::/32'"));
  check_flows(both, {{"ext > 1.2.3.4:80", "10.180.0.1:80 masq"},
                     {"blocked > 1.2.3.4:80", "DROP"},
                     {"node > 1.2.3.4:80", "DROP"},
                     {"1.2.3.4 > 1.2.3.4:80", "DROP"},
                     {"ext6 > [fd00:1::4]:80", "[fd00:10::9]:80 masq"},
                     {"node6 > [fd00:1::4]:80", "[fd00:10::9]:80 masq"},
                     {"fd00:1::4 > [fd00:1::4]:80", "[fd00:10::9]:80 masq"},
                     {"pod6 > [fd00:1::4]:80", "DROP"}});
  // As for kube-proxy, a family without ranges is open.
  ProxyWorld one(world_with("203.0.113.0/25"));
  check_flows(
      one, {{"blocked > 1.2.3.4:80", "DROP"}, {"pod6 > [fd00:1::4]:80", "[fd00:10::9]:80 masq"}});
  ProxyWorld everybody(world_with("203.0.113.0/25, 0.0.0.0/0, '::/0'"));
  check_flows(everybody, {{"blocked > 1.2.3.4:80", "10.180.0.1:80 masq"},
                          {"pod6 > [fd00:1::4]:80", "[fd00:10::9]:80 masq"}});
}

// ---- NodePorts --------------------------------------------------------------------------------

TEST_CASE("a primary address is one of the node's own, for each family it has") {
  Config config = test_config();
  config.node_port_scope = NodePortScope::Primary;
  NodeFacts facts = test_facts();
  facts.node_ips = {ip("192.168.1.2")};
  ProxyWorld world(
      service("ns/svc",
              "type: NodePort, ipFamilyPolicy: RequireDualStack, clusterIP: 172.30.0.41, "
              "clusterIPs: [172.30.0.41, 'fd00:172:30::41'], ports: [{port: 80, nodePort: 3001}]") +
          slice("ns/svc", "{port: 80}", {"10.180.0.1"}, "v4") +
          slice("ns/svc", "{port: 80}", {"fd00:10::9"}, "v6"),
      config, facts);
  check_flows(world, {{"ext > 192.168.1.2:3001", "10.180.0.1:80 masq"},
                      {"node > 192.168.1.2:3001", "10.180.0.1:80 masq"},
                      {"ext > 192.168.0.2:3001", ""},
                      {"localhost > 127.0.0.1:3001", ""},
                      {"ext6 > [2001:db8::1]:3001", ""}});
  // An address that the node does not have (yet) serves nothing, and gets it when it comes.
  facts.node_ips = {ip("192.168.7.7"), ip("2001:db8::1")};
  world.compiler().set_node(facts, world.cache);
  world.compiler(kube::IpFamily::V6).set_node(facts, world.cache);
  check_flows(world, {{"ext > 192.168.1.2:3001", ""},
                      {"ext > 192.168.7.7:3001", ""},
                      {"ext6 > [2001:db8::1]:3001", "[fd00:10::9]:80 masq"}});
  facts.addresses.push_back(ip("192.168.7.7"));
  world.compiler().set_node(facts, world.cache);
  check_flows(world, {{"ext > 192.168.7.7:3001", "10.180.0.1:80 masq"}});
}

TEST_CASE("a node port without endpoints, on localhost and elsewhere") {
  ProxyWorld world(reachable(", externalTrafficPolicy: Local") + endpoints({"10.180.0.1 there"}));
  check_flows(world, {{"localhost > 127.0.0.1:3001", "10.180.0.1:80 masq"},
                      {"ext > 192.168.0.2:3001", "DROP"},
                      {"ext > 192.168.1.2:3001", "DROP"}});
}

// ---- Protocols --------------------------------------------------------------------------------

TEST_CASE("one number in three protocols is three ports, at every kind of address") {
  ProxyWorld world(
      service("ns/svc",
              "type: LoadBalancer, clusterIP: 172.30.0.41, externalIPs: [192.168.99.11], ports: "
              "[{name: t, port: 53, nodePort: 3001}, {name: u, protocol: UDP, port: 53, nodePort: "
              "3001}, {name: s, protocol: SCTP, port: 53, nodePort: 3001}]",
              "status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}") +
      slice("ns/svc",
            "{name: t, port: 1}, {name: u, protocol: UDP, port: 2}, {name: s, protocol: SCTP, "
            "port: 3}",
            {"10.180.0.1"}));
  check_flows(world, {{"pod > 172.30.0.41:53/tcp", "10.180.0.1:1"},
                      {"pod > 172.30.0.41:53/udp", "10.180.0.1:2"},
                      {"pod > 172.30.0.41:53/sctp", "10.180.0.1:3"},
                      {"10.180.0.1 > 172.30.0.41:53/sctp", "10.180.0.1:3 masq"},
                      {"ext > 192.168.0.2:3001/tcp", "10.180.0.1:1 masq"},
                      {"ext > 192.168.0.2:3001/udp", "10.180.0.1:2 masq"},
                      {"ext > 192.168.0.2:3001/sctp", "10.180.0.1:3 masq"},
                      {"ext > 192.168.99.11:53/sctp", "10.180.0.1:3 masq"},
                      {"ext > 1.2.3.4:53/udp", "10.180.0.1:2 masq"},
                      {"ext > 1.2.3.4:53/sctp", "10.180.0.1:3 masq"}});
  // Only SCTP loses its endpoints.
  world.put(
      slice("ns/svc", "{name: t, port: 1}, {name: u, protocol: UDP, port: 2}", {"10.180.0.1"}));
  check_flows(world, {{"pod > 172.30.0.41:53/tcp", "10.180.0.1:1"},
                      {"pod > 172.30.0.41:53/sctp", "REJECT"},
                      {"ext > 192.168.0.2:3001/sctp", "REJECT"}});
}

TEST_CASE("affinity with SCTP and UDP, with both policies and in IPv6") {
  for (const std::string_view protocol : {"TCP", "UDP", "SCTP"}) {
    INFO(protocol);
    const std::string end = protocol == "TCP" ? "/tcp" : protocol == "UDP" ? "/udp" : "/sctp";
    ProxyWorld world(
        service("ns/svc",
                "type: NodePort, ipFamilyPolicy: RequireDualStack, clusterIP: 172.30.0.41, "
                "clusterIPs: [172.30.0.41, 'fd00:172:30::41'], sessionAffinity: ClientIP, "
                "externalTrafficPolicy: Local, ports: [{protocol: " +
                    std::string(protocol) + ", port: 80, nodePort: 3001}]") +
        slice("ns/svc", "{protocol: " + std::string(protocol) + ", port: 80}",
              {"10.180.0.1 here", "10.180.0.2 there"}, "v4") +
        slice("ns/svc", "{protocol: " + std::string(protocol) + ", port: 80}",
              {"fd00:10::8 here", "fd00:10::9 there"}, "v6"));
    check_flows(world, {{"pod > 172.30.0.41:80" + end, "10.180.0.1:80, 10.180.0.2:80"},
                        {"ext > 192.168.0.2:3001" + end, "10.180.0.1:80"},
                        {"pod6 > [fd00:172:30::41]:80" + end, "[fd00:10::8]:80, [fd00:10::9]:80"},
                        {"ext6 > [2001:db8::1]:3001" + end, "[fd00:10::8]:80"}});
    for (const kube::IpFamily family : {kube::IpFamily::V4, kube::IpFamily::V6}) {
      CHECK(find_inconsistencies(world.compiler(family).rules()).empty());
      // The API server's default.
      CHECK(world.rules(family).find("--rcheck --seconds 10800 --reap") != std::string::npos);
    }
  }
}

// ---- Families ---------------------------------------------------------------------------------

TEST_CASE("a family without endpoints of its own rejects, the other serves") {
  ProxyWorld world(
      service("ns/svc",
              "ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv6, IPv4], clusterIP: "
              "'fd00:172:30::41', clusterIPs: ['fd00:172:30::41', 172.30.0.41], ports: [{port: "
              "80}]") +
      slice("ns/svc", "{port: 80}", {"fd00:10::9"}, "v6"));
  check_flows(world, {{"pod > 172.30.0.41:80", "REJECT"},
                      {"pod6 > [fd00:172:30::41]:80", "[fd00:10::9]:80"},
                      {"node6 > [fd00:172:30::41]:80", "[fd00:10::9]:80 masq"},
                      {"fd00:10::9 > [fd00:172:30::41]:80", "[fd00:10::9]:80 masq"}});
  world.put(slice("ns/svc", "{port: 80}", {"10.180.0.1"}, "v4"));
  world.erase_slice("ns/v6");
  check_flows(world, {{"pod > 172.30.0.41:80", "10.180.0.1:80"},
                      {"pod6 > [fd00:172:30::41]:80", "REJECT"}});
}

// ---- Whose Services ---------------------------------------------------------------------------

TEST_CASE("a Service that another proxy takes has no rules, and gets them back") {
  const auto labelled = [](std::string_view label) {
    return "apiVersion: v1\nkind: Service\nmetadata: {name: svc, namespace: ns, labels: {" +
           std::string(label) +
           "}}\nspec: {type: NodePort, clusterIP: 172.30.0.41, ports: [{port: "
           "80, nodePort: 3001}]}\n";
  };
  ProxyWorld world(labelled("app: x") + endpoints({"10.180.0.1"}));
  check_flows(world, {{"pod > 172.30.0.41:80", "10.180.0.1:80"}});
  world.put(labelled("service.kubernetes.io/service-proxy-name: other"));
  check_flows(world, {{"pod > 172.30.0.41:80", ""}, {"ext > 192.168.0.2:3001", ""}});
  CHECK(world.compiler().counts().services == 0);
  // The label counts, whatever its value.
  world.put(labelled("service.kubernetes.io/service-proxy-name: ''"));
  check_flows(world, {{"pod > 172.30.0.41:80", ""}});
  world.put(labelled("app: x"));
  check_flows(world, {{"pod > 172.30.0.41:80", "10.180.0.1:80"}});
}

TEST_CASE("headless and ExternalName Services have no rules, and keep none") {
  ProxyWorld world(reachable("") + endpoints({"10.180.0.1"}));
  check_flows(world, {{"pod > 172.30.0.41:80", "10.180.0.1:80"}});
  world.put(service("ns/svc", "type: ExternalName, externalName: a.example.org"));
  check_flows(world, {{"pod > 172.30.0.41:80", ""}, {"ext > 1.2.3.4:80", ""}});
  world.put(service("ns/svc", "clusterIP: None, ports: [{port: 80}]"));
  check_flows(world, {{"pod > 172.30.0.41:80", ""}});
  CHECK(world.compiler().counts().services == 0);
  for (const kube::IpFamily family : {kube::IpFamily::V4, kube::IpFamily::V6}) {
    CHECK(world.rules(family) == ProxyWorld("").rules(family));
  }
}

TEST_CASE("Services without local endpoint are counted for each policy") {
  const auto counts = [](std::string_view policies, std::initializer_list<std::string_view> ends) {
    ProxyWorld world(reachable(policies) + (ends.size() == 0 ? "" : endpoints(ends)));
    return std::pair(world.compiler().counts().without_local_internal,
                     world.compiler().counts().without_local_external);
  };
  using Counts = std::pair<std::size_t, std::size_t>;
  const std::string_view both = ", internalTrafficPolicy: Local, externalTrafficPolicy: Local";
  CHECK(counts(both, {"10.0.1.1 here", "10.0.1.2 there"}) == Counts(0, 0));
  CHECK(counts(both, {"10.0.1.2 there"}) == Counts(1, 1));
  CHECK(counts(", internalTrafficPolicy: Local", {"10.0.1.2 there"}) == Counts(1, 0));
  CHECK(counts(", externalTrafficPolicy: Local", {"10.0.1.2 there"}) == Counts(0, 1));
  CHECK(counts(both, {"10.0.1.1 here ending", "10.0.1.2 there"}) == Counts(0, 0));
  CHECK(counts(both, {"10.0.1.1 here unready", "10.0.1.2 there"}) == Counts(1, 1));
  // No endpoint at all is not a matter of policy.
  CHECK(counts(both, {}) == Counts(0, 0));
  CHECK(counts(both, {"10.0.1.2 there unready"}) == Counts(0, 0));
}

}  // namespace waypost::proxy
