#include "proxy/compiler.h"

#include "proxy/chain_name.h"
#include "world.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>
#include <string>

namespace waypost::proxy {
namespace {

std::string address_text(std::size_t number) {
  return std::to_string(number / 65536 % 256) + "." + std::to_string(number / 256 % 256) + "." +
         std::to_string(number % 256);
}

std::size_t rule_count(Compiler& compiler, Table table) {
  compiler.settle();
  return compiler.rules().rule_count(table);
}

}  // namespace

TEST_CASE("chain names are kube-proxy's") {
  CHECK(chain_name(ChainKind::ClusterEndpoints, "ns1/svc1:p80tcp") == "KUBE-SVC-XPGD46QRK7WJZT7O");
  CHECK(endpoint_chain_name("ns1/svc1:p80tcp", "10.180.0.1:80") == "KUBE-SEP-SXIVWICOYRO3J4NJ");
  CHECK(chain_name(ChainKind::LocalEndpoints, "default/kubernetes:httpstcp") ==
        "KUBE-SVL-NPX46M4PTMTKRN6Y");
}

TEST_CASE("our chains are told from those of others") {
  for (const char* name : {"KUBE-SERVICES", "KUBE-SVC-XPGD46QRK7WJZT7O", "KUBE-SEP-X", "KUBE-CIP",
                           "KUBE-CIP-10.96.0.0_20", "KUBE-MARK-MASQ", "KUBE-POSTROUTING"}) {
    CHECK_MESSAGE(is_own_chain(Table::Nat, name), name);
  }
  for (const char* name : {"KUBE-FORWARD", "KUBE-SERVICES", "KUBE-PFW", "KUBE-HCN-30000"}) {
    CHECK_MESSAGE(is_own_chain(Table::Filter, name), name);
  }
  for (const char* name :
       {"PREROUTING", "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT", "KUBE-MARK-DROP",
        "KUBE-ROUTER-INPUT", "KUBE-CIPHER", "cali-PREROUTING", "CNI-x"}) {
    CHECK_MESSAGE(!is_own_chain(Table::Nat, name), name);
    CHECK_MESSAGE(!is_own_chain(Table::Filter, name), name);
  }
  CHECK_FALSE(is_own_chain(Table::Filter, "KUBE-SVC-XPGD46QRK7WJZT7O"));
}

TEST_CASE("probabilities are spelled as the kernel keeps them, and never grow") {
  CHECK(probability_text(0.5) == "0.50000000000");
  CHECK(probability_text(1.0 / 3) == "0.33333333349");
  CHECK(probability_text(1.0 / 7) == "0.14285714272");
  std::string previous = "1";
  for (std::size_t n = 2; n <= 100000; n += n < 2000 ? 1 : 37) {
    const std::string text = probability_text(1.0 / static_cast<double>(n));
    REQUIRE(text <= previous);
    previous = text;
  }
}

TEST_CASE("the rules of a small world, in full") {
  Config config = test_config();
  config.localhost_node_ports = false;
  ProxyWorld world(
      service("ns1/svc1", "clusterIP: 172.30.0.41, ports: [{name: p80, port: 80}]") +
          slice("ns1/svc1", "{name: p80, port: 80}", {"10.180.0.1 here", "10.180.0.2 there"}) +
          service("ns2/svc2",
                  "type: LoadBalancer, clusterIP: 172.30.0.42, externalTrafficPolicy: Local, "
                  "healthCheckNodePort: 30000, loadBalancerSourceRanges: [203.0.113.0/25], ports: "
                  "[{name: p80, port: 80, nodePort: 3002}]",
                  "status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}") +
          slice("ns2/svc2", "{name: p80, port: 8080}", {"10.180.0.3 there"}) +
          service("ns3/svc3", "clusterIP: 172.30.0.43, ports: [{port: 53, protocol: UDP}]"),
      config);
  CHECK(world.rules() == R"(*filter
:KUBE-CIP - [0:0]
:KUBE-EIP - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-HCN - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-NPT - [0:0]
:KUBE-PFW - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-SERVICES - [0:0]
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-CIP -d 172.30.0.43/32 -p udp -m comment --comment "ns3/svc3 has no endpoints" -m udp --dport 53 -j REJECT --reject-with icmp-port-unreachable
-A KUBE-EIP -d 1.2.3.4/32 -p tcp -m comment --comment "ns2/svc2:p80 has no local endpoints" -m tcp --dport 80 -j DROP
-A KUBE-EXTERNAL-SERVICES -j KUBE-EIP
-A KUBE-EXTERNAL-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NPT
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate DNAT -m bpf --bytecode "6,32 0 0 16,7 0 0 0,32 0 0 12,29 0 1 0,6 0 0 65535,6 0 0 0" -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A KUBE-HCN -p tcp -m comment --comment "ns2/svc2 health check node port" -m tcp --dport 30000 -j ACCEPT
-A KUBE-NODEPORTS -j KUBE-HCN
-A KUBE-NPT -p tcp -m comment --comment "ns2/svc2:p80 has no local endpoints" -m tcp --dport 3002 -j DROP
-A KUBE-PFW -d 1.2.3.4/32 -p tcp -m comment --comment "ns2/svc2:p80 traffic not accepted by source ranges" -m tcp --dport 80 -j DROP
-A KUBE-PROXY-FIREWALL -j KUBE-PFW
-A KUBE-SERVICES -j KUBE-CIP
COMMIT
*nat
:KUBE-CIP - [0:0]
:KUBE-EIP - [0:0]
:KUBE-EXT-GNZBNJ2PO5MGZ6GT - [0:0]
:KUBE-FW-GNZBNJ2PO5MGZ6GT - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-NPT - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-GNZBNJ2PO5MGZ6GT - [0:0]
:KUBE-SVC-XPGD46QRK7WJZT7O - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-CIP -d 172.30.0.41/32 -p tcp -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp --dport 80 -j KUBE-SVC-XPGD46QRK7WJZT7O
-A KUBE-CIP -d 172.30.0.42/32 -p tcp -m comment --comment "ns2/svc2:p80 cluster IP" -m tcp --dport 80 -j KUBE-SVC-GNZBNJ2PO5MGZ6GT
-A KUBE-EIP -d 1.2.3.4/32 -p tcp -m comment --comment "ns2/svc2:p80 loadbalancer IP" -m tcp --dport 80 -j KUBE-FW-GNZBNJ2PO5MGZ6GT
-A KUBE-EXT-GNZBNJ2PO5MGZ6GT -s 10.0.0.0/8 -j KUBE-SVC-GNZBNJ2PO5MGZ6GT
-A KUBE-EXT-GNZBNJ2PO5MGZ6GT -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ
-A KUBE-EXT-GNZBNJ2PO5MGZ6GT -m addrtype --src-type LOCAL -j KUBE-SVC-GNZBNJ2PO5MGZ6GT
-A KUBE-FW-GNZBNJ2PO5MGZ6GT -s 203.0.113.0/25 -j KUBE-EXT-GNZBNJ2PO5MGZ6GT
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-NODEPORTS -j KUBE-NPT
-A KUBE-NPT -p tcp -m comment --comment "ns2/svc2:p80 node port" -m tcp --dport 3002 -j KUBE-EXT-GNZBNJ2PO5MGZ6GT
-A KUBE-POSTROUTING -m conntrack --ctstate DNAT -m bpf --bytecode "6,32 0 0 16,7 0 0 0,32 0 0 12,29 0 1 0,6 0 0 65535,6 0 0 0" -j KUBE-MARK-MASQ
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-SERVICES -d 172.30.0.0/16 -j KUBE-CIP
-A KUBE-SERVICES -j KUBE-EIP
-A KUBE-SERVICES ! -d 127.0.0.0/8 -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-GNZBNJ2PO5MGZ6GT ! -s 10.0.0.0/8 -d 172.30.0.42/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-GNZBNJ2PO5MGZ6GT -p tcp -j DNAT --to-destination 10.180.0.3:8080
-A KUBE-SVC-XPGD46QRK7WJZT7O ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ
-A KUBE-SVC-XPGD46QRK7WJZT7O -p tcp -m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination 10.180.0.1:80
-A KUBE-SVC-XPGD46QRK7WJZT7O -p tcp -j DNAT --to-destination 10.180.0.2:80
COMMIT
)");
  CHECK(find_inconsistencies(world.compiler().rules()).empty());
  CHECK(world.compiler().counts().services == 3);
  CHECK(world.compiler().counts().without_local_external == 1);
  CHECK(world.compiler().counts().without_local_internal == 0);
}

TEST_CASE("masquerade bit, invalid packets and ports that are not random are choices") {
  Config config = test_config();
  config.masquerade_bit = 3;
  config.drop_invalid = false;
  config.random_fully = false;
  ProxyWorld world("", config);
  CHECK(world.chain("KUBE-MARK-MASQ") == "-j MARK --set-xmark 0x8/0x8\n");
  CHECK(world.chain("KUBE-FORWARD", Table::Filter).find("INVALID") == std::string::npos);
  CHECK(world.chain("KUBE-POSTROUTING").find("random") == std::string::npos);
  CHECK(world.chain("KUBE-POSTROUTING").find("MASQUERADE") != std::string::npos);
}

TEST_CASE("without xt_bpf, each endpoint that may call itself is let through and masqueraded") {
  Config config = test_config();
  config.hairpin = Hairpin::Addresses;
  ProxyWorld world(service("ns/svc", "clusterIP: 172.30.0.41, ports: [{port: 80}]") +
                       slice("ns/svc", "{port: 80}", {"10.180.0.1 here", "10.180.0.2 there"}),
                   config);
  CHECK(world.chain("KUBE-HPN") == "-s 10.180.0.1/32 -d 10.180.0.1/32 -j KUBE-MARK-MASQ\n");
  CHECK(world.chain("KUBE-HPN", Table::Filter) == "-s 10.180.0.1/32 -d 10.180.0.1/32 -j ACCEPT\n");
  const std::string jump = "-m conntrack --ctstate DNAT -j KUBE-HPN\n";
  CHECK(world.chain("KUBE-POSTROUTING").find(jump) != std::string::npos);
  CHECK(world.chain("KUBE-FORWARD", Table::Filter).find(jump) != std::string::npos);
}

TEST_CASE("rules per Service and endpoint stay within their budget") {
  // Whoever changes these numbers changes what every node pays.
  struct Case {
    std::size_t services;
    std::size_t endpoints;
    bool is_balancer;
    std::size_t filter;
    std::size_t nat;
  };
  const std::size_t base_filter = rule_count(ProxyWorld("").compiler(), Table::Filter);
  const std::size_t base_nat = rule_count(ProxyWorld("").compiler(), Table::Nat);
  CHECK(base_filter == 5);
  CHECK(base_nat == 8);  // Two of them count NodePorts on loopback addresses, where there are such.
  for (const Case& c :
       {Case{1, 0, false, 2, 0}, Case{1, 1, false, 0, 4}, Case{1, 2, false, 0, 5},
        Case{1, 10, false, 0, 13}, Case{10, 0, false, 11, 0}, Case{10, 1, false, 0, 31},
        Case{10, 10, false, 0, 121}, Case{1, 0, true, 6, 0}, Case{1, 1, true, 2, 11},
        Case{1, 10, true, 2, 20}, Case{10, 10, true, 11, 173}}) {
    std::string yaml;
    for (std::size_t i = 0; i < c.services; ++i) {
      const std::string name = "ns/svc" + std::to_string(i);
      const std::string number = std::to_string(i + 1);
      yaml += c.is_balancer
                  ? service(name,
                            "type: LoadBalancer, clusterIP: 172.30.0." + number +
                                ", loadBalancerSourceRanges: [203.0.113.0/25], ports: [{port: 80, "
                                "nodePort: " +
                                std::to_string(3001 + i) + "}]",
                            "status: {loadBalancer: {ingress: [{ip: 1.2.3." + number + "}]}}")
                  : service(name, "clusterIP: 172.30.0." + number + ", ports: [{port: 80}]");
      yaml += slice(name, "{port: 80}", {});
      for (std::size_t e = 0; e < c.endpoints; ++e) {
        yaml += "- {addresses: [10." + address_text(i * 100 + e + 1) + "]}\n";
      }
    }
    ProxyWorld world(yaml);
    INFO(c.services, " x ", c.endpoints, c.is_balancer ? " balanced" : "");
    CHECK(rule_count(world.compiler(), Table::Filter) - base_filter == c.filter);
    CHECK(rule_count(world.compiler(), Table::Nat) - base_nat == c.nat);
  }
}

TEST_CASE("one endpoint's change touches one chain, one Service's a few") {
  std::string yaml;
  for (std::size_t i = 0; i < 2000; ++i) {
    const std::string name = "ns/svc" + std::to_string(i);
    yaml += service(name, "clusterIP: 172." + address_text(30 * 65536 + 1 + i) +
                              ", ports: [{port: 80}]") +
            slice(name, "{port: 80}", {"10.180.0.1", "10.180.0.2"});
  }
  ProxyWorld world(yaml);
  Compiler& compiler = world.compiler();
  CHECK(compiler.settle().size() > 2000);
  CHECK(compiler.settle().empty());
  CHECK(find_inconsistencies(compiler.rules()).empty());
  const RuleSet before = compiler.rules();

  world.put(slice("ns/svc7", "{port: 80}", {"10.180.0.1", "10.180.0.3"}));
  const std::vector<ChainKey> changed = compiler.settle();
  const std::string own = chain_name(ChainKind::ClusterEndpoints, "ns/svc7tcp");
  CHECK(changed == std::vector<ChainKey>{{Table::Nat, own}});
  std::size_t shared = 0;
  compiler.rules().for_each(Table::Nat, [&](const ChainPointer& chain) {
    shared += before.find(Table::Nat, chain->name()) == chain;
  });
  CHECK(shared == compiler.rules().chain_count(Table::Nat) - 1);

  world.erase_service("ns/svc7");
  CHECK(compiler.settle().size() <= 4);
  CHECK(compiler.rules().find(Table::Nat, own) == nullptr);
  CHECK(find_inconsistencies(compiler.rules()).empty());

  // The same world again is no change.
  world.put(service("ns/svc8",
                    "clusterIP: 172.30.0.9, ports: [{port: 80}], publishNotReadyAddresses: true"));
  CHECK(compiler.settle().empty());
}

TEST_CASE("rules know whose they are") {
  ProxyWorld world(service("ns/a", "clusterIP: 172.30.0.1, ports: [{port: 80}]") +
                   slice("ns/a", "{port: 80}", {"10.180.0.1"}) +
                   service("ns/b", "clusterIP: 172.30.0.2, ports: [{port: 80}]"));
  Compiler& compiler = world.compiler();
  compiler.settle();
  const auto owner = [&](Table table, std::string_view chain, std::size_t rule) {
    const kube::ObjectKey* key = compiler.owner(compiler.rules().find(table, chain)->owner(rule));
    return key == nullptr ? "nobody" : key->to_text();
  };
  CHECK(owner(Table::Nat, chain_name(ChainKind::ClusterEndpoints, "ns/atcp"), 0) == "ns/a");
  CHECK(owner(Table::Nat, "KUBE-CIP", 0) == "ns/a");
  CHECK(owner(Table::Filter, "KUBE-CIP", 0) == "ns/b");
  CHECK(owner(Table::Nat, "KUBE-SERVICES", 0) == "nobody");
  world.erase_service("ns/a");
  world.put(service("ns/c", "clusterIP: 172.30.0.3, ports: [{port: 80}]"));
  CHECK(owner(Table::Filter, "KUBE-CIP", 0) == "ns/b");
  compiler.settle();
  CHECK(owner(Table::Filter, "KUBE-CIP", 1) == "ns/c");
}

TEST_CASE("one Service that cannot be compiled, or that the kernel refuses, stops no other") {
  ProxyWorld world(service("ns/bad", "clusterIP: 0.0.0.0, ports: [{port: 80}]") +
                   service("ns/good", "clusterIP: 172.30.0.1, ports: [{port: 80}]") +
                   slice("ns/good", "{port: 80}", {"10.180.0.1"}));
  Compiler& compiler = world.compiler();
  CHECK(world.flow("pod > 172.30.0.1:80") == "10.180.0.1:80");
  REQUIRE(compiler.quarantined().size() == 1);
  CHECK(compiler.quarantined().begin()->first.to_text() == "ns/bad");
  world.put(service("ns/bad", "clusterIP: 172.30.0.2, ports: [{port: 80}]"));
  CHECK(compiler.quarantined().empty());
  CHECK(world.flow("pod > 172.30.0.2:80") == "REJECT");

  compiler.quarantine({"ns", "good"}, "the kernel does not like it");
  CHECK(world.flow("pod > 172.30.0.1:80") == "");
  CHECK(compiler.counts().services == 1);
  CHECK(find_inconsistencies(compiler.rules()).empty());
  // It gets another chance when it changes, not when the node does.
  NodeFacts facts = test_facts();
  facts.zone = "z";
  compiler.set_node(facts, world.cache);
  CHECK(world.flow("pod > 172.30.0.1:80") == "");
  world.put(slice("ns/good", "{port: 80}", {"10.180.0.2"}));
  CHECK(world.flow("pod > 172.30.0.1:80") == "10.180.0.2:80");
  CHECK(compiler.quarantined().empty());
}

TEST_CASE("rules are the same however the world came about") {
  std::mt19937 random(11);
  const auto pick = [&](std::size_t n) { return random() % n; };
  Config config = test_config();
  config.hairpin = Hairpin::Addresses;
  ProxyWorld grown("", config);
  std::map<std::string, std::string> services;
  std::map<std::string, std::string> slices;
  for (int round = 0; round < 25; ++round) {
    const std::size_t changes = round % 5 == 0 ? 300 : 20;
    for (std::size_t i = 0; i < changes; ++i) {
      const std::size_t number = pick(400);
      const std::string name = "ns/svc" + std::to_string(number);
      if (pick(4) == 0) {
        if (services.erase(name) != 0) {
          grown.erase_service(name);
        }
        if (slices.erase(name) != 0) {
          grown.erase_slice(name + "-1");
        }
        continue;
      }
      static constexpr std::string_view Policies[] = {
          "", ", externalTrafficPolicy: Local, healthCheckNodePort: 31000",
          ", internalTrafficPolicy: Local", ", sessionAffinity: ClientIP",
          ", loadBalancerSourceRanges: [10.0.0.0/8]"};
      services[name] = service(
          name,
          "type: LoadBalancer, clusterIP: 172." + address_text(30 * 65536 + number * 3) +
              ", externalIPs: [192.0.2." + std::to_string(pick(20)) +
              "], ports: [{name: a, port: " + std::to_string(80 + pick(3)) +
              ", nodePort: " + std::to_string(20000 + number * 7) +
              "}, {name: b, protocol: UDP, port: 53}]" + std::string(Policies[pick(5)]),
          "status: {loadBalancer: {ingress: [{ip: 1.2.3." + std::to_string(pick(4)) + "}]}}");
      std::string endpoints;
      const std::size_t count = pick(10) == 0 ? 70 + pick(10) : pick(4);
      static constexpr std::string_view Conditions[] = {
          "", ", conditions: {ready: false}",
          ", conditions: {ready: false, serving: true, terminating: true}"};
      for (std::size_t e = 0; e < count; ++e) {
        endpoints += "- {addresses: [10." + address_text(number * 100 + e + 1) +
                     "], nodeName: " + (pick(2) == 0 ? "here" : "there") +
                     std::string(Conditions[pick(3)]) + "}\n";
      }
      slices[name] =
          slice(name, "{name: a, port: 80}, {name: b, protocol: UDP, port: 53}", {}) + endpoints;
      grown.put(services[name] + slices[name]);
    }
    std::string all;
    for (const auto& [name, yaml] : services) {
      all += yaml + slices[name];
    }
    ProxyWorld fresh(all, config);
    REQUIRE(grown.rules() == fresh.rules());
    const auto problems = find_inconsistencies(grown.compiler().rules());
    INFO((problems.empty() ? "" : problems.front()));
    REQUIRE(problems.empty());
    REQUIRE(grown.compiler().counts().services == fresh.compiler().counts().services);
    REQUIRE(grown.compiler().counts().without_local_external ==
            fresh.compiler().counts().without_local_external);
  }
}

TEST_CASE("the deepest way stays within what iptables-nft takes") {
  // External addresses that spread at every level, with everything that may be on the way.
  std::string addresses;
  for (unsigned i = 0; i < 32; ++i) {
    for (unsigned j = 0; j < 3; ++j) {
      addresses += (addresses.empty() ? "" : ", ") +
                   IpAddress::v4(static_cast<std::uint8_t>(100 ^ ((1U << i) >> 24)),
                                 static_cast<std::uint8_t>((1U << i) >> 16),
                                 static_cast<std::uint8_t>((1U << i) >> 8),
                                 static_cast<std::uint8_t>((1U << i) ^ j))
                       .to_text();
    }
  }
  std::string ports;
  for (unsigned i = 1; i <= 70; ++i) {
    ports += (ports.empty() ? "" : ", ") + std::string("{name: p") + std::to_string(i) +
             ", port: " + std::to_string(i) + "}";
  }
  std::string endpoints;
  for (unsigned i = 1; i < 100; ++i) {
    endpoints += "- {addresses: [10.1.1." + std::to_string(i) + "]}\n";
  }
  ProxyWorld world(service("ns/svc",
                           "type: LoadBalancer, clusterIP: 172.30.0.1, externalIPs: [" + addresses +
                               "], loadBalancerSourceRanges: [10.0.0.0/8], ports: [" + ports + "]",
                           "status: {loadBalancer: {ingress: [{ip: 100.0.0.1}]}}") +
                   slice("ns/svc", ports, {}) + endpoints);
  world.compiler().settle();
  CHECK(find_inconsistencies(world.compiler().rules()).empty());
}

}  // namespace waypost::proxy
