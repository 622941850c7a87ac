// The names of our chains.  Those that people and tools know from kube-proxy are made as kube-proxy
// makes them: KUBE-SVC-, KUBE-SVL-, KUBE-EXT-, KUBE-FW- and KUBE-SEP- with a hash of the Service
// port.

#pragma once

#include "proxy/rule_set.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace waypost::proxy {

// "PREFIX" and 16 characters: the beginning of the base32 (RFC 4648) of SHA-256 of `text`.
std::string hashed_name(std::string_view prefix, std::string_view text);

enum class ChainKind : std::uint8_t {
  ClusterEndpoints,  // KUBE-SVC-: all usable endpoints.
  LocalEndpoints,    // KUBE-SVL-: those on this node.
  External,          // KUBE-EXT-: decides how traffic from outside is treated.
  Firewall,          // KUBE-FW-: who may use a load balancer's address.
};

// `port_id` is "ns/name:port" and the protocol in lower case, with nothing between them; there is
// no ":port" when the port has no name.
std::string chain_name(ChainKind kind, std::string_view port_id);
// KUBE-SEP-: one endpoint, with client affinity.  `endpoint` is "ADDRESS:PORT".
std::string endpoint_chain_name(std::string_view port_id, std::string_view endpoint);
// KUBE-SEG-: part number `segment` of the endpoints in the chain `whole`.
std::string segment_chain_name(std::string_view whole, std::size_t segment);

// Chains that exist once.
inline constexpr std::string_view ServicesChain = "KUBE-SERVICES";
inline constexpr std::string_view ExternalServicesChain = "KUBE-EXTERNAL-SERVICES";
inline constexpr std::string_view NodePortsChain = "KUBE-NODEPORTS";
inline constexpr std::string_view PostroutingChain = "KUBE-POSTROUTING";
inline constexpr std::string_view MarkChain = "KUBE-MARK-MASQ";
inline constexpr std::string_view ForwardChain = "KUBE-FORWARD";
inline constexpr std::string_view ProxyFirewallChain = "KUBE-PROXY-FIREWALL";
inline constexpr std::string_view FirewallChain = "KUBE-FIREWALL";  // Kubelet has it, too.
// Roots and branches of the dispatch trees: the root is the prefix without its last '-'.
inline constexpr std::string_view ClusterIpTree = "KUBE-CIP-";
inline constexpr std::string_view ExternalIpTree = "KUBE-EIP-";
inline constexpr std::string_view NodePortTree = "KUBE-NPT-";
inline constexpr std::string_view ProxyFirewallTree = "KUBE-PFW-";
inline constexpr std::string_view HealthCheckTree = "KUBE-HCN-";
inline constexpr std::string_view HairpinTree = "KUBE-HPN-";
// kube-proxy's, by which it notices that somebody flushed a table: in filter, nat and mangle.
inline constexpr std::string_view CanaryChain = "KUBE-PROXY-CANARY";

// In table raw: queries to the node's DNS addresses, and what is answered.
inline constexpr std::string_view DnsQueriesChain = "WAYPOST-DNS-QUERIES";
inline constexpr std::string_view DnsAnswersChain = "WAYPOST-DNS-ANSWERS";

// The kernel's own target that lets a packet pass.
inline constexpr std::string_view AcceptTarget = "ACCEPT";

// Whether a chain of that name is ours to change and to remove: one of the above, or made by
// kube-proxy, whose place we take.  Never a kubelet's or a CNI plugin's.  KUBE-FIREWALL is shared
// with kubelet and therefore never to be removed, and only ever to be added to.
bool is_own_chain(Table table, std::string_view name) noexcept;

}  // namespace waypost::proxy
