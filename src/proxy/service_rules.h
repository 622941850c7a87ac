// The rules for one Service port: its own chains, and what leads to them.
//
// A packet's way, with the chains that exist only where they are needed:
//
//   PREROUTING, OUTPUT -> KUBE-SERVICES -> a dispatch tree, or KUBE-NODEPORTS and its tree
//     ClusterIP            -> KUBE-SVC-  (KUBE-SVL- with internalTrafficPolicy: Local)
//     external address     -> KUBE-EXT-  -> KUBE-SVC-, KUBE-SVL-
//     load balancer's      -> KUBE-FW- with source ranges, else KUBE-EXT-
//   KUBE-SVC-, KUBE-SVL-   : DNAT, one rule for each endpoint; with many endpoints by way of
//                            KUBE-SEG-, with client affinity by way of KUBE-SEP-
//
// Without endpoints, REJECT and DROP stand in the filter table's trees instead.  Around a tree that
// makes KUBE-SERVICES, the root, KUBE-FW-, KUBE-EXT-, KUBE-SVC- and KUBE-SEP- or KUBE-SEG-, or, for
// NodePorts, one more and no KUBE-FW-: never more than 8 chains with MARK-MASQ.
//
// Not here: which endpoints (proxy/endpoint_choice.h), the chains that exist once
// (proxy/compiler.cpp).

#pragma once

#include "proxy/config.h"
#include "proxy/dispatch_tree.h"
#include "proxy/endpoint_choice.h"
#include "proxy/rule_set.h"
#include "proxy/service_port.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace waypost::proxy {

// The trees that rules are dispatched by.
enum class TreeId : std::uint8_t {
  ClusterIp,             // nat: ClusterIPs within the service CIDRs.
  ExternalIp,            // nat: every other address.
  NodePort,              // nat
  Hairpin,               // nat: endpoints that may call themselves; Hairpin::Addresses only.
  RefusedClusterIp,      // filter: ClusterIPs that lead nowhere.
  RefusedExternalIp,     // filter
  RefusedNodePort,       // filter
  HealthCheckPort,       // filter: ports of health servers.
  LoadBalancerFirewall,  // filter: what KUBE-FW- did not let through.
  ForwardedHairpin,      // filter: as Hairpin.
};
inline constexpr std::size_t TreeCount = 10;
constexpr Table table_of(TreeId tree) noexcept {
  return tree <= TreeId::Hairpin ? Table::Nat : Table::Filter;
}

struct PlacedRule {
  TreeId tree;
  DispatchRulePointer rule;
};

struct ServiceRules {
  std::vector<ChainPointer> chains;  // All in nat.
  std::vector<PlacedRule> placed;
};

// From this many endpoints on, they are chosen in two steps.
inline constexpr std::size_t MinSegmented = 64;

// How many segments `endpoints` are put into: a power of two near the square root, so that it
// seldom changes.
std::size_t segment_count(std::size_t endpoints) noexcept;

// "--probability" as iptables prints it: the kernel knows multiples of 2^-31.
std::string probability_text(double probability);

// The prefix that tells packets from Pods by their source; null when it is not told so, or there is
// none of this family.
const IpPrefix* local_cidr(const Config& config, const NodeFacts& facts, kube::IpFamily family);

// The source range of a load balancer that one of the node's own addresses is within, or null.
// With one, the load balancer's addresses may be sources, too: where such an address is also one of
// the node's, a connection from the node to it has it as its source.
const IpPrefix* range_of_node(const ServicePortView& view, const NodeFacts& facts);

// "-s 10.0.0.0/8", "-i cbr0": packets from Pods; with `is_not`, all others.  Empty when the
// detector cannot tell.
std::string local_match(const Config& config, const NodeFacts& facts, kube::IpFamily family,
                        bool is_not);

// Adds the rules for one port.  `facts` and `config` are the compiler's.
void add_rules(const ServicePortView& view, const EndpointChoice& choice, const Config& config,
               const NodeFacts& facts, OwnerId owner, ServiceRules& rules);

// Adds what a Service has once, not for each port: the rule that lets its health checks in.
// `service` is "ns/name".
void add_health_check_rule(const std::string& service, std::uint16_t port, OwnerId owner,
                           ServiceRules& rules);

}  // namespace waypost::proxy
