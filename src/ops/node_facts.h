// What this host is like, as far as its rules depend on it.

#pragma once

#include "base/error.h"
#include "kube/objects.h"
#include "ops/node_config.h"
#include "proxy/config.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::ops {

// The host's name as kube-proxy takes it for the node's: in lower case, without blanks around.
std::string host_name();
// The same of what somebody calls the node: the kubelet registers it under such a name.
std::string as_node_name(std::string_view text);

// The address that packets to anywhere else leave with: at most one of each family.
std::vector<IpAddress> default_addresses();

// As configured, or the host's.
std::string node_name(const NodeConfig& config);

// The node's facts with these addresses of its interfaces.  What is not configured is taken from
// the node's object, if there is one: the zone is its label topology.kubernetes.io/zone, its own
// addresses are its internal ones.  Where Pods are told by spec.podCIDRs, these come from the
// object, too.  After that its own address is the first of each family in `likely`, on the node
// itself default_addresses().
proxy::NodeFacts node_facts(const NodeConfig& config, std::vector<IpAddress> addresses,
                            const std::vector<IpAddress>& likely,
                            const std::optional<kube::Node>& node);

// Whether the node is being deleted, or the cluster autoscaler is about to.
bool is_leaving(const kube::Node& node);

// Whether the host has this family at all.
bool has_ipv6();

// The rules' configuration with what this host says about it: packets are not dropped for being
// INVALID when connection tracking is liberal about them.
proxy::Config rules_on_host(const NodeConfig& config);

// Sets what the configuration asks of the host (route_localnet, be_liberal).
void prepare_host(const NodeConfig& config);

}  // namespace waypost::ops
