// What the rules depend on besides Services and endpoints: how the cluster is laid out, and the
// node that the rules are for.
//
// Not here: flags and files (ops/), finding these facts out on a live node.

#pragma once

#include "base/ip_address.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace waypost::proxy {

// How a packet is recognized as one from a Pod of this cluster or node: traffic from elsewhere to a
// ClusterIP has to be masqueraded, so that the answer comes back this way.
enum class LocalDetector : std::uint8_t {
  None,             // Not at all: nothing is masqueraded for being from elsewhere.
  SourceCidr,       // By source address: Config::source_cidrs.
  NodeCidr,         // By source address: NodeFacts::pod_cidrs.
  Bridge,           // By the interface that Pods are behind.
  InterfacePrefix,  // By the beginning of the interface's name.
};

// Which of the node's addresses answer on NodePorts.
enum class NodePortScope : std::uint8_t {
  All,      // Every local address.
  Primary,  // The node's own address of each family.
  Ranges,   // Those within Config::node_port_ranges.
};

// How a Pod that reaches itself through a Service is recognized behind the translation.
enum class Hairpin : std::uint8_t {
  Bpf,        // One rule compares source and destination (the kernel's xt_bpf).
  Addresses,  // A rule for each address of an endpoint that is on this node, or on none.
};

struct Config {
  LocalDetector local_detector = LocalDetector::None;
  std::vector<IpPrefix> source_cidrs;  // SourceCidr: the first of each family counts.
  std::string interface;               // Bridge, InterfacePrefix: without '+'.
  bool masquerade_all = false;         // Everything that goes to a ClusterIP.
  unsigned masquerade_bit = 14;        // 0..31, of the packet mark.
  bool random_fully = true;            // MASQUERADE picks ports at random.
  NodePortScope node_port_scope = NodePortScope::All;
  std::vector<IpPrefix> node_port_ranges;
  bool localhost_node_ports = false;    // IPv4 only: also on 127.0.0.0/8.
  std::vector<IpPrefix> service_cidrs;  // Where ClusterIPs are; empty: not known.
  bool drop_invalid = true;             // Packets that conntrack cannot place (k8s#74839).
  Hairpin hairpin = Hairpin::Bpf;
};

struct NodeFacts {
  std::string name;
  std::string zone;                  // Label topology.kubernetes.io/zone; empty: none.
  std::vector<IpAddress> addresses;  // Of all interfaces, loopback included.
  std::vector<IpAddress> node_ips;   // The node's own address: at most one of each family.
  std::vector<IpPrefix> pod_cidrs;   // NodeCidr: of its Pods; the first of each family counts.

  friend bool operator==(const NodeFacts&, const NodeFacts&) = default;
};

// Whether everything is known that rules depend on.  Before, they would take the packets of this
// node's own Pods for those from elsewhere.
inline bool is_complete(const Config& config, const NodeFacts& facts) noexcept {
  return config.local_detector != LocalDetector::NodeCidr || !facts.pod_cidrs.empty();
}

}  // namespace waypost::proxy
