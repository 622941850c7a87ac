// What happens to packets, by kind of Service and by policy.  All flows of kube-proxy's own tests
// are here, and some that it does not test.

#include "world.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::proxy {
namespace {

// ep1 is on another node, ep2 on this one.
const std::string TwoEndpoints =
    slice("ns/svc", "{port: 80}", {"10.180.0.1 there", "10.180.2.1 here"});

std::string everything(std::string_view policies) {
  return service("ns/svc",
                 "type: LoadBalancer, clusterIP: 172.30.0.41, externalIPs: [192.168.99.11], ports: "
                 "[{port: 80, nodePort: 3001}]" +
                     std::string(policies),
                 "status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}");
}

}  // namespace

TEST_CASE("a Service without endpoints rejects") {
  ProxyWorld world(everything(""));
  check_flows(world, {{"pod > 172.30.0.41:80", "REJECT"},
                      {"ext > 192.168.99.11:80", "REJECT"},
                      {"pod > 192.168.0.2:3001", "REJECT"},
                      {"ext > 192.168.0.2:3001", "REJECT"},
                      {"pod > 1.2.3.4:80", "REJECT"},
                      {"ext > 1.2.3.4:80", "REJECT"},
                      {"node > 172.30.0.41:80", "REJECT"},
                      {"ext > 172.30.0.41:80", "REJECT"},
                      {"localhost > 127.0.0.1:3001", "REJECT"},
                      // Another port is nobody's.
                      {"pod > 172.30.0.41:81", ""},
                      {"ext > 192.168.0.2:3002", ""}});
}

TEST_CASE("ClusterIPs lead to their own endpoints") {
  ProxyWorld world(
      service("ns1/svc1", "clusterIP: 172.30.0.41, ports: [{name: http, port: 80}]") +
      slice("ns1/svc1", "{name: http, port: 80}", {"10.180.0.1 here"}) +
      service("ns2/svc2",
              "clusterIP: 172.30.0.42, ports: [{name: http, port: 80}, {name: https, port: 443}, "
              "{name: dns-udp, protocol: UDP, port: 53}, {name: dns-tcp, port: 53}, {name: "
              "dns-sctp, protocol: SCTP, port: 53}]") +
      slice("ns2/svc2",
            "{name: http, port: 80}, {name: https, port: 8443}, {name: dns-udp, protocol: UDP, "
            "port: 53}, {name: dns-tcp, port: 5353}, {name: dns-sctp, protocol: SCTP, port: 53}",
            {"10.180.0.1 here", "10.180.2.1 there"}));
  check_flows(world, {{"10.180.0.2 > 172.30.0.41:80", "10.180.0.1:80"},
                      // Hairpin.
                      {"10.180.0.1 > 172.30.0.41:80", "10.180.0.1:80 masq"},
                      {"10.180.0.2 > 172.30.0.42:80", "10.180.0.1:80, 10.180.2.1:80"},
                      {"10.180.0.1 > 172.30.0.42:80", "10.180.2.1:80 | 10.180.0.1:80 masq"},
                      {"10.180.0.2 > 172.30.0.42:443", "10.180.0.1:8443, 10.180.2.1:8443"},
                      // One port in three protocols.
                      {"10.180.0.2 > 172.30.0.42:53/udp", "10.180.0.1:53, 10.180.2.1:53"},
                      {"10.180.0.2 > 172.30.0.42:53/tcp", "10.180.0.1:5353, 10.180.2.1:5353"},
                      {"10.180.0.2 > 172.30.0.42:53/sctp", "10.180.0.1:53, 10.180.2.1:53"},
                      {"10.180.0.2 > 172.30.0.42:80/udp", ""},
                      {"10.180.0.2 > 172.30.0.41:443", ""},
                      {"10.180.0.2 > 172.30.0.43:80", ""}});
}

TEST_CASE("a load balancer's addresses are for its source ranges") {
  ProxyWorld world(
      service("ns/svc",
              "type: LoadBalancer, clusterIP: 172.30.0.41, loadBalancerSourceRanges: "
              "[192.168.0.0/24, ' 203.0.113.0/25'], ports: [{port: 80, nodePort: 3001}]",
              "status: {loadBalancer: {ingress: [{ip: 1.2.3.4}, {ip: 5.6.7.8}]}}") +
      slice("ns/svc", "{port: 80}", {"10.180.0.1 here"}));
  check_flows(world, {{"pod > 172.30.0.41:80", "10.180.0.1:80"},
                      {"ext > 192.168.0.2:3001", "10.180.0.1:80 masq"},
                      // The ranges are not about NodePorts.
                      {"blocked > 192.168.0.2:3001", "10.180.0.1:80 masq"},
                      {"ext > 1.2.3.4:80", "10.180.0.1:80 masq"},
                      {"ext > 5.6.7.8:80", "10.180.0.1:80 masq"},
                      {"blocked > 1.2.3.4:80", "DROP"},
                      {"blocked > 5.6.7.8:80", "DROP"},
                      {"pod > 1.2.3.4:80", "DROP"},
                      {"pod > 5.6.7.8:80", "DROP"},
                      {"node > 1.2.3.4:80", "10.180.0.1:80 masq"},
                      {"node > 5.6.7.8:80", "10.180.0.1:80 masq"},
                      // A balancer's address that is one of the node's is the source, too.
                      {"1.2.3.4 > 1.2.3.4:80", "10.180.0.1:80 masq"},
                      {"5.6.7.8 > 5.6.7.8:80", "10.180.0.1:80 masq"},
                      {"ext > 1.2.3.4:443", ""}});
}

TEST_CASE("a load balancer's own address is no source where the node is not allowed") {
  ProxyWorld world(service("ns/svc",
                           "type: LoadBalancer, clusterIP: 172.30.0.41, loadBalancerSourceRanges: "
                           "[203.0.113.0/25], ports: [{port: 80, nodePort: 3001}]",
                           "status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}") +
                   slice("ns/svc", "{port: 80}", {"10.180.0.1 here"}));
  check_flows(world, {{"ext > 1.2.3.4:80", "10.180.0.1:80 masq"},
                      {"1.2.3.4 > 1.2.3.4:80", "DROP"},
                      {"node > 1.2.3.4:80", "DROP"}});
}

TEST_CASE("a load balancer that asks for the traffic gets it") {
  ProxyWorld world(service("ns/svc",
                           "type: LoadBalancer, clusterIP: 172.30.0.41, ports: [{port: 80, "
                           "nodePort: 3001}]",
                           "status: {loadBalancer: {ingress: [{ip: 1.2.3.4, ipMode: Proxy}, {ip: "
                           "1.2.3.5, ipMode: VIP}]}}") +
                   slice("ns/svc", "{port: 80}", {"10.180.0.1"}));
  check_flows(world, {{"ext > 1.2.3.4:80", ""}, {"ext > 1.2.3.5:80", "10.180.0.1:80 masq"}});
}

TEST_CASE("external policy Cluster masquerades whatever comes from outside") {
  ProxyWorld world(everything(", externalTrafficPolicy: Cluster") + TwoEndpoints);
  const std::string_view both = "10.180.0.1:80, 10.180.2.1:80 masq";
  check_flows(world, {{"pod > 172.30.0.41:80", "10.180.0.1:80, 10.180.2.1:80"},
                      {"pod > 192.168.99.11:80", both},
                      {"ext > 192.168.99.11:80", both},
                      {"pod > 1.2.3.4:80", both},
                      {"ext > 1.2.3.4:80", both},
                      {"pod > 192.168.0.2:3001", both},
                      {"ext > 192.168.0.2:3001", both}});
}

TEST_CASE("external policy Local keeps the client's address and stays on the node") {
  ProxyWorld world(everything(", externalTrafficPolicy: Local, healthCheckNodePort: 30000") +
                   TwoEndpoints);
  const std::string_view both = "10.180.0.1:80, 10.180.2.1:80";
  check_flows(world, {{"pod > 172.30.0.41:80", both},
                      {"pod > 192.168.99.11:80", both},
                      {"ext > 192.168.99.11:80", "10.180.2.1:80"},
                      {"pod > 1.2.3.4:80", both},
                      {"ext > 1.2.3.4:80", "10.180.2.1:80"},
                      {"pod > 192.168.0.2:3001", both},
                      {"ext > 192.168.0.2:3001", "10.180.2.1:80"}});
}

TEST_CASE("external policy Local drops where no endpoint is on the node") {
  ProxyWorld world(everything(", externalTrafficPolicy: Local") +
                   slice("ns/svc", "{port: 80}", {"10.180.0.1 there"}));
  check_flows(world, {{"pod > 172.30.0.41:80", "10.180.0.1:80"},
                      {"ext > 192.168.99.11:80", "DROP"},
                      {"ext > 1.2.3.4:80", "DROP"},
                      {"ext > 192.168.0.2:3001", "DROP"},
                      // Within the cluster every endpoint is good.
                      {"pod > 192.168.0.2:3001", "10.180.0.1:80"},
                      {"node > 192.168.0.2:3001", "10.180.0.1:80 masq"},
                      {"node > 1.2.3.4:80", "10.180.0.1:80 masq"}});
}

TEST_CASE("internal policy") {
  const auto world_with = [](std::string_view policy,
                             std::initializer_list<std::string_view> ends) {
    return service("ns/svc", "clusterIP: 172.30.1.1, internalTrafficPolicy: " +
                                 std::string(policy) + ", ports: [{port: 80}]") +
           slice("ns/svc", "{port: 80}", ends);
  };
  struct Case {
    std::string_view policy;
    std::initializer_list<std::string_view> endpoints;
    std::string_view expected;
  };
  const std::string_view all[] = {"10.0.1.1 here", "10.0.1.2 there", "10.0.1.3 there"};
  for (const Case& c :
       {Case{"Cluster", {all[0], all[1], all[2]}, "10.0.1.1:80, 10.0.1.2:80, 10.0.1.3:80"},
        Case{"Local", {all[0], all[1], all[2]}, "10.0.1.1:80"},
        Case{"Local",
             {"10.0.1.1 here", "10.0.1.2 here", "10.0.1.3 there"},
             "10.0.1.1:80, 10.0.1.2:80"},
        Case{"Local", {"10.0.1.1 there", "10.0.1.2 there"}, "DROP"}}) {
    ProxyWorld world(world_with(c.policy, c.endpoints));
    check_flows(world, {{"10.0.0.2 > 172.30.1.1:80", c.expected}});
    world.erase_slice("ns/svc-1");
    check_flows(world, {{"10.0.0.2 > 172.30.1.1:80", "REJECT"}});
  }
}

TEST_CASE("ending endpoints serve when none is ready, external policy Local") {
  struct Case {
    std::string_view name;
    std::initializer_list<std::string_view> endpoints;
    std::string_view cluster_ip;
    std::string_view balancer;
  };
  for (const Case& c :
       {Case{"ready and ending ones",
             {"10.0.1.1 here", "10.0.1.2 here", "10.0.1.3 here ending", "10.0.1.4 here dead",
              "10.0.1.5 there"},
             "10.0.1.1:80, 10.0.1.2:80, 10.0.1.5:80",
             "10.0.1.1:80, 10.0.1.2:80"},
        Case{"only ending ones here, ready elsewhere",
             {"10.0.1.2 here ending", "10.0.1.3 here ending", "10.0.1.4 here dead",
              "10.0.1.5 there"},
             "10.0.1.5:80",
             "10.0.1.2:80, 10.0.1.3:80"},
        Case{"ending ones elsewhere only", {"10.0.1.5 there ending"}, "10.0.1.5:80", "DROP"},
        Case{"nothing that serves",
             {"10.0.1.4 here dead", "10.0.1.5 there dead", "10.0.1.6 there unready"},
             "REJECT",
             "REJECT"}}) {
    INFO(c.name);
    ProxyWorld world(everything(", externalTrafficPolicy: Local") +
                     slice("ns/svc", "{port: 80}", c.endpoints));
    check_flows(world, {{"pod > 172.30.0.41:80", c.cluster_ip}, {"ext > 1.2.3.4:80", c.balancer}});
    world.erase_slice("ns/svc-1");
    check_flows(world, {{"pod > 172.30.0.41:80", "REJECT"}, {"ext > 1.2.3.4:80", "REJECT"}});
  }
}

TEST_CASE("ending endpoints serve when none is ready, external policy Cluster") {
  struct Case {
    std::string_view name;
    std::initializer_list<std::string_view> endpoints;
    std::string_view cluster_ip;
    std::string_view balancer;
  };
  for (const Case& c :
       {Case{"ready and ending ones",
             {"10.0.1.1 here", "10.0.1.2 here", "10.0.1.3 here ending", "10.0.1.5 there"},
             "10.0.1.1:80, 10.0.1.2:80, 10.0.1.5:80",
             "10.0.1.1:80, 10.0.1.2:80, 10.0.1.5:80 masq"},
        Case{"only ending ones here, ready elsewhere",
             {"10.0.1.2 here ending", "10.0.1.4 here dead", "10.0.1.5 there"},
             "10.0.1.5:80",
             "10.0.1.5:80 masq"},
        Case{"only ending ones anywhere",
             {"10.0.1.2 here ending", "10.0.1.5 there ending"},
             "10.0.1.2:80, 10.0.1.5:80",
             "10.0.1.2:80, 10.0.1.5:80 masq"},
        Case{"nothing that serves",
             {"10.0.1.4 here dead", "10.0.1.5 there dead"},
             "REJECT",
             "REJECT"}}) {
    INFO(c.name);
    ProxyWorld world(everything("") + slice("ns/svc", "{port: 80}", c.endpoints));
    check_flows(world, {{"pod > 172.30.0.41:80", c.cluster_ip}, {"ext > 1.2.3.4:80", c.balancer}});
    world.erase_slice("ns/svc-1");
    check_flows(world, {{"pod > 172.30.0.41:80", "REJECT"}, {"ext > 1.2.3.4:80", "REJECT"}});
  }
}

TEST_CASE("topology hints narrow what a client within the cluster reaches") {
  ProxyWorld world(
      everything(", externalTrafficPolicy: Local") +
      slice("ns/svc", "{port: 80}",
            {"10.180.0.1 there zones=a", "10.180.0.2 there zones=b", "10.180.0.3 here zones=b"}));
  check_flows(world, {{"pod > 172.30.0.41:80", "10.180.0.1:80"},
                      {"pod > 192.168.0.2:3001", "10.180.0.1:80"},
                      {"ext > 192.168.0.2:3001", "10.180.0.3:80"}});
  NodeFacts elsewhere = test_facts();
  elsewhere.zone = "b";
  world.compiler().set_node(elsewhere, world.cache);
  check_flows(world, {{"pod > 172.30.0.41:80", "10.180.0.2:80, 10.180.0.3:80"}});
}

// ---- NodePorts --------------------------------------------------------------------------------

TEST_CASE("NodePorts answer on the addresses that are configured") {
  const std::string yaml =
      service("ns/svc",
              "type: NodePort, ipFamilyPolicy: RequireDualStack, clusterIP: 172.30.0.41, "
              "clusterIPs: [172.30.0.41, 'fd00:172:30::41'], ports: [{port: 80, nodePort: 3001}]") +
      slice("ns/svc", "{port: 80}", {"10.180.0.1 here"}, "v4") +
      slice("ns/svc", "{port: 80}", {"fd00:10::1 here"}, "v6");
  struct Case {
    std::string_view name;
    bool localhost;
    NodePortScope scope;
    std::vector<std::string_view> ranges;
    bool on_localhost;
    bool on_primary;
    bool on_other;
  };
  const std::vector<Case> cases = {
      {"all, with localhost", true, NodePortScope::All, {}, true, true, true},
      {"all, without localhost", false, NodePortScope::All, {}, false, true, true},
      {"some",
       true,
       NodePortScope::Ranges,
       {"192.168.0.0/24", "2001:db8::/64"},
       false,
       true,
       false},
      {"some, with localhost",
       true,
       NodePortScope::Ranges,
       {"192.168.0.0/24", "127.0.0.0/8", "2001:db8::/64", "::1/128"},
       true,
       true,
       false},
      {"some, where localhost is not wanted",
       false,
       NodePortScope::Ranges,
       {"192.168.0.0/24", "127.0.0.0/8", "2001:db8::/64"},
       false,
       true,
       false},
      {"primary", true, NodePortScope::Primary, {}, false, true, false},
      {"zero prefixes", false, NodePortScope::Ranges, {"0.0.0.0/0", "::/0"}, false, true, true},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    Config config = test_config();
    config.localhost_node_ports = c.localhost;
    config.node_port_scope = c.scope;
    for (const std::string_view range : c.ranges) {
      config.node_port_ranges.push_back(prefix(range));
    }
    ProxyWorld world(yaml, config);
    const auto masq = [](bool is_served) { return is_served ? "10.180.0.1:80 masq" : ""; };
    const auto masq6 = [](bool is_served) { return is_served ? "[fd00:10::1]:80 masq" : ""; };
    check_flows(world, {{"pod > 172.30.0.41:80", "10.180.0.1:80"},
                        {"ext > 192.168.0.2:3001", masq(c.on_primary)},
                        {"node > 192.168.0.2:3001", masq(c.on_primary)},
                        {"localhost > 127.0.0.1:3001", masq(c.on_localhost)},
                        {"ext > 192.168.1.2:3001", masq(c.on_other)},
                        {"pod6 > [fd00:172:30::41]:80", "[fd00:10::1]:80"},
                        {"ext6 > [2001:db8::1]:3001", masq6(c.on_primary)},
                        {"node6 > [2001:db8::1]:3001", masq6(c.on_primary)},
                        {"localhost6 > [::1]:3001", ""},
                        {"ext6 > [2001:db8:1::2]:3001", masq6(c.on_other)}});
    // Others must not come to what listens on localhost only, once the kernel routes it.
    CHECK(world.chain("KUBE-FIREWALL", Table::Filter) ==
          (c.localhost ? "! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment \"block incoming "
                         "localnet connections\" -m conntrack ! --ctstate "
                         "RELATED,ESTABLISHED,DNAT -j DROP\n"
                       : "absent"));
    check_flows(world, {{"ext > 127.0.0.1:22", c.localhost ? "DROP" : ""},
                        {"localhost > 127.0.0.1:22", ""}});
  }
}

TEST_CASE("a NodePort follows the node's addresses") {
  Config config = test_config();
  config.node_port_scope = NodePortScope::Ranges;
  config.node_port_ranges = {prefix("192.168.0.0/16")};
  ProxyWorld world(service("ns/svc",
                           "type: NodePort, clusterIP: 172.30.0.41, ports: [{port: 80, "
                           "nodePort: 3001}]") +
                       slice("ns/svc", "{port: 80}", {"10.180.0.1 here"}),
                   config);
  check_flows(world, {{"ext > 192.168.7.7:3001", ""}});
  NodeFacts facts = test_facts();
  facts.addresses.push_back(ip("192.168.7.7"));
  world.compiler().set_node(facts, world.cache);
  check_flows(world, {{"ext > 192.168.7.7:3001", "10.180.0.1:80 masq"}});
}

TEST_CASE("health checks come in, whatever addresses NodePorts have") {
  Config config = test_config();
  config.node_port_scope = NodePortScope::Ranges;
  config.node_port_ranges = {prefix("127.0.0.0/8")};
  ProxyWorld world(everything(", externalTrafficPolicy: Local, healthCheckNodePort: 30000"),
                   config);
  check_flows(world, {{"ext > 192.168.0.2:30000", "ACCEPT"}});
  world.erase_service("ns/svc");
  check_flows(world, {{"ext > 192.168.0.2:30000", ""}});
}

// ---- Masquerading -----------------------------------------------------------------------------

TEST_CASE("masquerading, by source, destination and policy") {
  const auto one = [](std::string_view name, std::string_view number, std::string_view policy) {
    const std::string n(number);
    return service(name,
                   "type: LoadBalancer, clusterIP: 172.30.1." + n +
                       ", ports: [{port: 80, nodePort: "
                       "300" +
                       n + "}]" + std::string(policy),
                   "status: {loadBalancer: {ingress: [{ip: 1.2.3." + n + "}]}}") +
           slice(name, "{port: 80}", {"10.180.0.1 here", "10.180.1.1 there"});
  };
  const std::string yaml = one("ns/svc1", "1", "") +
                           one("ns/svc2", "2", ", externalTrafficPolicy: Local") +
                           one("ns/svc3", "3", ", internalTrafficPolicy: Local");
  const std::string_view both = "10.180.0.1:80, 10.180.1.1:80";
  const std::string_view both_masq = "10.180.0.1:80, 10.180.1.1:80 masq";
  const std::string_view here = "10.180.0.1:80";
  const std::string_view here_masq = "10.180.0.1:80 masq";
  for (const bool has_detector : {true, false}) {
    for (const bool is_all : {false, true}) {
      INFO("detector " << has_detector << ", masquerade all " << is_all);
      Config config = test_config();
      config.local_detector = has_detector ? LocalDetector::SourceCidr : LocalDetector::None;
      config.masquerade_all = is_all;
      ProxyWorld world(yaml, config);
      const std::string_view pod = is_all ? both_masq : both;
      const std::string_view other = is_all || has_detector ? both_masq : both;
      const std::string_view pod_here = is_all ? here_masq : here;
      const std::string_view other_here = is_all || has_detector ? here_masq : here;
      // With Local and no way to tell Pods, a Pod is somebody from outside.
      const std::string_view pod_local = has_detector ? both : here;
      check_flows(
          world,
          {
              {"pod > 172.30.1.1:80", pod},           {"pod > 192.168.0.2:3001", both_masq},
              {"pod > 1.2.3.1:80", both_masq},        {"node > 172.30.1.1:80", other},
              {"node > 192.168.0.2:3001", both_masq}, {"localhost > 127.0.0.1:3001", both_masq},
              {"node > 1.2.3.1:80", both_masq},       {"ext > 172.30.1.1:80", other},
              {"ext > 192.168.0.2:3001", both_masq},  {"ext > 1.2.3.1:80", both_masq},
              {"pod > 172.30.1.2:80", pod},           {"pod > 192.168.0.2:3002", pod_local},
              {"pod > 1.2.3.2:80", pod_local},        {"node > 172.30.1.2:80", other},
              {"node > 192.168.0.2:3002", both_masq}, {"localhost > 127.0.0.1:3002", both_masq},
              {"node > 1.2.3.2:80", both_masq},       {"ext > 172.30.1.2:80", other},
              {"ext > 192.168.0.2:3002", here},       {"ext > 1.2.3.2:80", here},
              {"pod > 172.30.1.3:80", pod_here},      {"pod > 192.168.0.2:3003", both_masq},
              {"pod > 1.2.3.3:80", both_masq},        {"node > 172.30.1.3:80", other_here},
              {"node > 192.168.0.2:3003", both_masq}, {"localhost > 127.0.0.1:3003", both_masq},
              {"node > 1.2.3.3:80", both_masq},       {"ext > 172.30.1.3:80", other_here},
              {"ext > 192.168.0.2:3003", both_masq},  {"ext > 1.2.3.3:80", both_masq},
          });
    }
  }
}

TEST_CASE("Pods are known by their interface, too") {
  for (const auto& [detector, name] : {std::pair(LocalDetector::Bridge, "cbr0"),
                                       std::pair(LocalDetector::InterfacePrefix, "cb")}) {
    Config config = test_config();
    config.local_detector = detector;
    config.interface = name;
    ProxyWorld world(everything(", externalTrafficPolicy: Local") + TwoEndpoints, config);
    const std::string_view both = "10.180.0.1:80, 10.180.2.1:80";
    check_flows(world, {{"pod > 172.30.0.41:80", both},
                        {"ext > 172.30.0.41:80", "10.180.0.1:80, 10.180.2.1:80 masq"},
                        {"node > 172.30.0.41:80", "10.180.0.1:80, 10.180.2.1:80 masq"},
                        {"pod > 192.168.0.2:3001", both},
                        {"ext > 192.168.0.2:3001", "10.180.2.1:80"}});
  }
}

TEST_CASE("Pods are known by the node's own podCIDRs, which may change") {
  Config config = test_config();
  config.local_detector = LocalDetector::NodeCidr;
  config.source_cidrs = {prefix("203.0.113.0/24")};  // Does not count.
  NodeFacts facts = test_facts();
  CHECK_FALSE(is_complete(config, facts));
  facts.pod_cidrs = {prefix("fd00:10::/64"), prefix("10.0.0.0/8"), prefix("203.0.113.0/24")};
  CHECK(is_complete(config, facts));
  ProxyWorld world(everything(", externalTrafficPolicy: Local") + TwoEndpoints, config, facts);
  const std::string_view both = "10.180.0.1:80, 10.180.2.1:80";
  const std::string_view both_masq = "10.180.0.1:80, 10.180.2.1:80 masq";
  check_flows(world, {{"pod > 172.30.0.41:80", both},
                      {"ext > 172.30.0.41:80", both_masq},
                      {"pod > 192.168.0.2:3001", both},
                      {"ext > 192.168.0.2:3001", "10.180.2.1:80"}});
  facts.pod_cidrs = {prefix("203.0.113.0/24")};
  world.compiler().set_node(facts, world.cache);
  check_flows(world, {{"pod > 172.30.0.41:80", both_masq}, {"ext > 172.30.0.41:80", both}});
  // None of this family.
  facts.pod_cidrs = {prefix("fd00:10::/64")};
  world.compiler().set_node(facts, world.cache);
  check_flows(world, {{"pod > 172.30.0.41:80", both}, {"ext > 172.30.0.41:80", both}});
}

TEST_CASE("a Pod that reaches itself is masqueraded, without a rule for each endpoint") {
  for (const Hairpin hairpin : {Hairpin::Bpf, Hairpin::Addresses}) {
    Config config = test_config();
    config.hairpin = hairpin;
    ProxyWorld world(everything(", externalTrafficPolicy: Local") + TwoEndpoints +
                         service("ns/six",
                                 "ipFamilies: [IPv6], clusterIP: 'fd00:172:30::6', ports: "
                                 "[{port: 80}]") +
                         slice("ns/six", "{port: 80}", {"fd00:10::5 here", "fd00:10::1:5 here"}),
                     config);
    check_flows(world,
                {{"10.180.2.1 > 172.30.0.41:80", "10.180.0.1:80 | 10.180.2.1:80 masq"},
                 {"10.180.2.1 > 192.168.0.2:3001", "10.180.0.1:80 | 10.180.2.1:80 masq"},
                 {"10.180.2.2 > 172.30.0.41:80", "10.180.0.1:80, 10.180.2.1:80"},
                 {"fd00:10::5 > [fd00:172:30::6]:80", "[fd00:10::1:5]:80 | [fd00:10::5]:80 masq"},
                 // Not translated: none of our business.
                 {"10.180.2.1 > 10.180.2.1:80", ""}});
  }
}

// ---- Many endpoints, affinity -----------------------------------------------------------------

TEST_CASE("a client comes back to its endpoint for as long as it is remembered") {
  ProxyWorld world(service("ns/svc",
                           "clusterIP: 172.30.0.41, sessionAffinity: ClientIP, "
                           "sessionAffinityConfig: {clientIP: {timeoutSeconds: 30}}, "
                           "ports: [{port: 80}]") +
                   slice("ns/svc", "{port: 80}", {"10.180.0.1", "10.180.0.2", "10.180.0.3"}));
  check_flows(world, {{"pod > 172.30.0.41:80", "10.180.0.1:80, 10.180.0.2:80, 10.180.0.3:80"}});
  Compiler& compiler = world.compiler();
  std::string list;
  compiler.rules().for_each(Table::Nat, [&](const ChainPointer& chain) {
    if (chain->name().starts_with("KUBE-SEP-") &&
        chain->rule(0).find("10.180.0.2:80") != std::string_view::npos) {
      list = chain->name();
      CHECK(chain->rule(0) == "-p tcp -m recent --set --name " + list +
                                  " --mask 255.255.255.255 --rsource -j DNAT --to-destination "
                                  "10.180.0.2:80");
    }
  });
  const Evaluation again = evaluate(compiler.rules(), compiler.node(),
                                    {.source = ip("10.0.0.2"),
                                     .destination = ip("172.30.0.41"),
                                     .port = 80,
                                     .remembered_by = list});
  REQUIRE(again.outcomes.size() == 1);
  CHECK(again.outcomes[0].destination.to_text() == "10.180.0.2:80");
  CHECK(again.outcomes[0].way.back().rule.find("MASQUERADE") == std::string_view::npos);
}

TEST_CASE("every endpoint is as likely as every other") {
  for (const std::size_t count : {1U, 2U, 3U, 10U, 63U, 64U, 65U, 200U, 1000U}) {
    std::string yaml = service("ns/svc", "clusterIP: 172.30.0.41, ports: [{port: 80}]");
    std::string endpoints;
    for (std::size_t i = 0; i < count; ++i) {
      endpoints += "- {addresses: [10.180." + std::to_string(i / 250) + "." +
                   std::to_string(i % 250 + 1) + "]}\n";
    }
    yaml += slice("ns/svc", "{port: 80}", {}) + endpoints;
    ProxyWorld world(yaml);
    world.compiler().settle();
    const Evaluation evaluation =
        evaluate(world.compiler().rules(), world.compiler().node(),
                 {.source = ip("10.0.0.2"), .destination = ip("172.30.0.41"), .port = 80});
    REQUIRE(evaluation.outcomes.size() == count);
    for (const Outcome& outcome : evaluation.outcomes) {
      REQUIRE(outcome.probability * static_cast<double>(count) == doctest::Approx(1).epsilon(1e-5));
    }
    CHECK(find_inconsistencies(world.compiler().rules()).empty());
    // The longest chain that a packet has to go through.
    std::size_t longest = 0;
    world.compiler().rules().for_each(Table::Nat, [&](const ChainPointer& chain) {
      longest = chain->name().starts_with("KUBE-S") ? std::max(longest, chain->size()) : longest;
    });
    CHECK(longest <= (count < MinSegmented ? std::max<std::size_t>(count + 1, 3) : 70));
  }
}

// ---- Several Services on one address ----------------------------------------------------------

TEST_CASE("a ClusterIP outside the known ranges is served all the same") {
  ProxyWorld world(service("ns/svc", "clusterIP: 172.31.0.1, ports: [{port: 80}]") +
                   slice("ns/svc", "{port: 80}", {"10.180.0.1"}));
  check_flows(world, {{"pod > 172.31.0.1:80", "10.180.0.1:80"}});
  Config config = test_config();
  config.service_cidrs.clear();
  ProxyWorld unknown(service("ns/svc", "clusterIP: 172.31.0.1, ports: [{port: 80}]") +
                         slice("ns/svc", "{port: 80}", {"10.180.0.1"}),
                     config);
  check_flows(unknown, {{"pod > 172.31.0.1:80", "10.180.0.1:80"}});
}

TEST_CASE("Services may share a load balancer's address by port, and two claim one port") {
  const auto one = [](std::string_view name, std::string_view address, std::string_view port) {
    return service(name,
                   "type: LoadBalancer, clusterIP: " + std::string(address) +
                       ", ports: [{port: " + std::string(port) + "}]",
                   "status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}");
  };
  ProxyWorld world(one("ns/a", "172.30.0.1", "80") + slice("ns/a", "{port: 1}", {"10.180.0.1"}) +
                   one("ns/b", "172.30.0.2", "81") + slice("ns/b", "{port: 1}", {"10.180.0.2"}) +
                   one("ns/c", "172.30.0.3", "81") + slice("ns/c", "{port: 1}", {"10.180.0.3"}));
  check_flows(world, {{"ext > 1.2.3.4:80", "10.180.0.1:1 masq"},
                      {"ext > 1.2.3.4:81", "10.180.0.2:1 masq"}});
  world.erase_service("ns/b");
  check_flows(world, {{"ext > 1.2.3.4:81", "10.180.0.3:1 masq"}});
}

}  // namespace waypost::proxy
