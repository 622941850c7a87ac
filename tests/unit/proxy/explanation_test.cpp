#include "proxy/explanation.h"

#include "world.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::proxy {
namespace {

Packet packet(std::string_view source, std::string_view destination, std::uint16_t port) {
  return {.source = ip(source), .destination = ip(destination), .port = port};
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line + "\n";
  }
  return text;
}

std::string reasons(std::string_view yaml, const Packet& wanted) {
  const ProxyWorld world(yaml);
  return joined(explain_services(world.cache, test_config(), test_facts(), wanted));
}

std::string balanced(std::string_view more) {
  return service("ns/svc",
                 "type: LoadBalancer, clusterIP: 172.30.0.41, ports: [{name: web, port: 80, "
                 "nodePort: 3001}]" +
                     std::string(more),
                 "status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}");
}

}  // namespace

TEST_CASE("each endpoint is said to be used, or why it is not") {
  CHECK(reasons(balanced("") + slice("ns/svc", "{name: web, port: 80}",
                                     {"10.180.0.1 here zones=a", "10.180.0.2 there zones=b",
                                      "10.180.0.3 there zones=a ending", "10.180.0.4 there unready",
                                      "10.180.0.5 there dead"}),
                packet("10.0.0.2", "172.30.0.41", 80)) ==
        "Service ns/svc:web: 172.30.0.41 is the ClusterIP, port 80/tcp\n"
        "  internalTrafficPolicy: Cluster: endpoints on every node\n"
        "  topology: endpoints whose hint is zone a\n"
        "  endpoint 10.180.0.1:80 (this node): used\n"
        "  endpoint 10.180.0.2:80: its hint is elsewhere\n"
        "  endpoint 10.180.0.3:80: terminating, and others are ready\n"
        "  endpoint 10.180.0.4:80: not ready\n"
        "  endpoint 10.180.0.5:80: terminating, and not serving\n");
}

TEST_CASE("policy Local, seen from outside and from a Pod") {
  const std::string yaml =
      balanced(", externalTrafficPolicy: Local, sessionAffinity: ClientIP") +
      slice("ns/svc", "{name: web, port: 80}", {"10.180.0.1 here ending", "10.180.0.2 there"});
  CHECK(reasons(yaml, packet("203.0.113.2", "192.168.0.2", 3001)) ==
        "Service ns/svc:web: 192.168.0.2 is the NodePort, port 3001/tcp\n"
        "  externalTrafficPolicy: Local: endpoints on node here only\n"
        "  no endpoint is ready: those that still serve while they terminate\n"
        "  endpoint 10.180.0.1:80 (this node): used\n"
        "  endpoint 10.180.0.2:80: on another node\n"
        "  sessionAffinity: ClientIP: the endpoint of the last 10800 s, if there is one\n");
  CHECK(reasons(yaml, packet("10.0.0.2", "1.2.3.4", 80))
            .starts_with("Service ns/svc:web: 1.2.3.4 is a load balancer's address, port 80/tcp\n"
                         "  externalTrafficPolicy: Local, but the source is a Pod of the cluster: "
                         "endpoints on every node\n"));
  CHECK(reasons(balanced(", externalTrafficPolicy: Local") +
                    slice("ns/svc", "{name: web, port: 80}", {"10.180.0.2 there"}),
                packet("203.0.113.2", "1.2.3.4", 80))
            .find("none of the endpoints is on this node: dropped") != std::string::npos);
}

TEST_CASE("source ranges, missing endpoints and incomplete hints are reasons") {
  const std::string ranged =
      balanced(", loadBalancerSourceRanges: [203.0.113.0/25]") +
      slice("ns/svc", "{name: web, port: 80}", {"10.180.0.1 zones=b", "10.180.0.2"});
  CHECK(reasons(ranged, packet("203.0.113.2", "1.2.3.4", 80))
            .find("203.0.113.2 is within 203.0.113.0/25") != std::string::npos);
  const std::string blocked = reasons(ranged, packet("203.0.113.130", "1.2.3.4", 80));
  CHECK(blocked.find("is within none of them: dropped") != std::string::npos);
  CHECK(blocked.find("a ready endpoint has no hint: all endpoints") != std::string::npos);
  CHECK(
      reasons(balanced(""), packet("10.0.0.2", "172.30.0.41", 80)).find("no endpoints: rejected") !=
      std::string::npos);
  CHECK(reasons(balanced(""), packet("10.0.0.2", "172.30.0.42", 80)) ==
        "no Service has 172.30.0.42, port 80/tcp\n");
}

TEST_CASE("a NodePort on an address that serves none is not said to lead anywhere") {
  const std::string yaml =
      balanced("") + slice("ns/svc", "{name: web, port: 80}", {"10.180.0.1 here"});
  const auto told = [&](const Config& config, std::string_view destination) {
    const ProxyWorld world(yaml);
    return joined(explain_services(world.cache, config, test_facts(),
                                   packet("203.0.113.2", destination, 3001)));
  };
  Config ranges = test_config();
  ranges.node_port_scope = NodePortScope::Ranges;
  ranges.node_port_ranges = {prefix("192.168.1.0/24")};
  CHECK(told(ranges, "192.168.0.2") ==
        "Service ns/svc:web: 192.168.0.2 is the NodePort, port 3001/tcp\n"
        "  nodePortAddresses: 192.168.0.2 is within none of them: not translated\n");
  CHECK(told(ranges, "192.168.1.2").find("endpoint 10.180.0.1:80 (this node): used") !=
        std::string::npos);
  Config primary = test_config();
  primary.node_port_scope = NodePortScope::Primary;
  CHECK(told(primary, "192.168.1.2").find("primary: 192.168.1.2 is not this node's own") !=
        std::string::npos);
  CHECK(told(primary, "127.0.0.1").find("primary: 127.0.0.1 is not this node's own") !=
        std::string::npos);
  CHECK(told(primary, "192.168.0.2").find("used") != std::string::npos);
  Config without = test_config();
  without.localhost_node_ports = false;
  CHECK(told(without, "127.0.0.1")
            .find("  localhostNodePorts: 127.0.0.1 serves NodePorts only "
                  "with it: not translated\n") != std::string::npos);
  CHECK(told(test_config(), "127.0.0.1").find("used") != std::string::npos);
}

TEST_CASE("a load balancer's own address may be a source where the node may") {
  const auto told = [](std::string_view ranges, std::string_view source) {
    return reasons(balanced(", loadBalancerSourceRanges: [" + std::string(ranges) + "]") +
                       slice("ns/svc", "{name: web, port: 80}", {"10.180.0.1 here"}),
                   packet(source, "1.2.3.4", 80));
  };
  CHECK(told("203.0.113.0/25, 192.168.0.0/24", "1.2.3.4")
            .find("1.2.3.4 is the load balancer's own address, as a connection of this node to it "
                  "has it, and the node is within 192.168.0.0/24\n") != std::string::npos);
  CHECK(told("203.0.113.0/25", "1.2.3.4").find("1.2.3.4 is within none of them: dropped") !=
        std::string::npos);
  CHECK(told("192.168.0.0/24", "1.2.3.5").find("1.2.3.5 is within none of them: dropped") !=
        std::string::npos);
}

TEST_CASE("reasons and ways agree") {
  std::vector<Config> configs;
  for (const NodePortScope scope :
       {NodePortScope::All, NodePortScope::Primary, NodePortScope::Ranges}) {
    for (const bool is_localhost : {false, true}) {
      configs.push_back(test_config());
      configs.back().node_port_scope = scope;
      configs.back().node_port_ranges = {prefix("192.168.1.0/24"), prefix("127.0.0.0/8")};
      configs.back().localhost_node_ports = is_localhost;
    }
  }
  std::size_t untranslated = 0;
  std::size_t dropped = 0;
  std::size_t led = 0;
  for (const char* more :
       {"", ", externalTrafficPolicy: Local", ", loadBalancerSourceRanges: [203.0.113.0/25]",
        ", loadBalancerSourceRanges: [203.0.113.0/25, 192.168.0.0/24]"}) {
    const std::string yaml =
        balanced(more) + slice("ns/svc", "{name: web, port: 80}", {"10.180.0.2 there"});
    for (const Config& config : configs) {
      ProxyWorld world(yaml, config);
      world.compiler().settle();
      for (const auto& [destination, port] :
           {std::pair("192.168.0.2", 3001), std::pair("192.168.1.2", 3001),
            std::pair("127.0.0.1", 3001), std::pair("1.2.3.4", 80), std::pair("172.30.0.41", 80)}) {
        for (const char* source :
             {"203.0.113.2", "203.0.113.200", "1.2.3.4", "10.0.0.7", "192.168.0.2"}) {
          Packet asked = packet(source, destination, static_cast<std::uint16_t>(port));
          const NodeFacts facts = test_facts();
          const bool is_own = std::find(facts.addresses.begin(), facts.addresses.end(),
                                        asked.source) != facts.addresses.end();
          asked.origin = is_own ? Origin::Host : Origin::Network;
          const std::string why = joined(explain_services(world.cache, config, facts, asked));
          const bool says_drop = why.find(": dropped") != std::string::npos;
          const bool says_not = why.find(": not translated") != std::string::npos;
          (says_not ? untranslated : says_drop ? dropped : led) += 1;
          const auto outcomes = evaluate(world.compiler().rules(), facts, asked).outcomes;
          CHECK_MESSAGE(!outcomes.empty(), source << " to " << destination);
          for (const Outcome& outcome : outcomes) {
            // What is sent to 127.0.0.1 from elsewhere is dropped besides.
            CHECK_MESSAGE((says_not || (outcome.verdict == Verdict::Dropped) == says_drop),
                          source << " to " << destination << "\n"
                                 << why);
            CHECK_MESSAGE(outcome.is_translated == (!says_drop && !says_not),
                          source << " to " << destination << "\n"
                                 << why);
          }
        }
      }
    }
  }
  CHECK(untranslated > 100);
  CHECK(dropped > 50);
  CHECK(led > 100);
}

TEST_CASE("a way is told rule by rule, with its share") {
  ProxyWorld world(balanced("") + slice("ns/svc", "{name: web, port: 80}",
                                        {"10.180.0.1 here", "10.180.0.2 there"}));
  world.compiler().settle();
  const std::string text = joined(
      explain_ways(world.compiler().rules(), test_facts(), packet("10.0.0.2", "172.30.0.41", 80)));
  CHECK(text.starts_with(
      "50.0 %: to 10.180.0.1:80, with its own source address\n"
      "  nat PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n"
      "  nat KUBE-SERVICES -d 172.30.0.0/16 -j KUBE-CIP\n"));
  CHECK(text.find("50.0 %: to 10.180.0.2:80") != std::string::npos);
  const SavedRules foreign =
      parse_saved_rules(
          "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m set --match-set x src -j "
          "ACCEPT\nCOMMIT\n")
          .value();
  CHECK(joined(explain_ways(foreign.rules, test_facts(), packet("10.0.0.2", "172.30.0.41", 80),
                            foreign.dropping)) ==
        "100.0 %: dropped\n  filter FORWARD policy DROP\n"
        "not judged, taken as not met: FORWARD: -m set --match-set x src\n");
}

}  // namespace waypost::proxy
