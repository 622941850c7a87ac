// What an operator may choose about the node's own DNS: the addresses, from waypost-node's flags,
// and everything about answers from a file in the words of waypost-dns.
//
// Not here: acting on it (ops/node_dns.h).

#pragma once

#include "base/ip_address.h"
#include "ops/config.h"
#include "ops/config_origin.h"

#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace waypost::ops {

struct NodeDnsConfig {
  bool is_on = false;
  // This node's own, at most one of each family.
  bool has_local = true;  // False: none.
  std::vector<IpAddress> local_addresses;
  // Those of the cluster DNS Service, at most one of each family, which are answered here as long
  // as this process can.
  std::vector<IpAddress> cluster_addresses;
  std::string interface;                      // That all of them are on.
  std::optional<std::filesystem::path> file;  // In the words of waypost-dns.
  Config answers;                             // What the file says, or the defaults.
};

// Where a node answers unless told otherwise: NodeLocal DNSCache's address, and one like it for
// IPv6, which has no link-local addresses that are the same on every interface.
std::vector<IpAddress> default_dns_addresses();

// As load_config(), with what is the node's own: one worker, and as upstreams the servers of its
// resolv.conf, unless the file says otherwise.  Keys that waypost-node has flags for, or that mean
// nothing on a node, are refused by name.
std::expected<LoadedConfig, Problems> load_node_dns_config(const ConfigOrigin& origin);

}  // namespace waypost::ops
