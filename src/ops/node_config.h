// What an operator may choose for waypost-node, from flags and from a KubeProxyConfiguration file,
// checked and in the rooms' own terms.
//
// Both become settings (ops/config.h), which one table (ops/node_options.h) turns into a
// NodeConfig. A file written for kube-proxy is taken as it is as long as it asks for nothing that
// is not done here: a key that has no meaning here is fine while its value is nothing (null, "", 0,
// 0s, false, an empty list), and refused by name otherwise.  A key that has one is not set while it
// is null or empty; 0 and false are values.
//
// Not here: the command line (ops/flags.h), acting on it (ops/node_life_cycle.h).

#pragma once

#include "base/log.h"
#include "ops/config.h"
#include "ops/node_dns_config.h"
#include "proxy/config.h"
#include "proxy/iptables.h"
#include "sources/manifest_source.h"

#include <chrono>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace waypost::ops {

// A plain value.
struct NodeConfig {
  sources::ManifestOptions manifests;  // Without a folder, objects come from the API server.
  ApiConfig api;
  std::string node_name;
  std::string node_zone;
  std::vector<IpAddress> node_ips;        // Empty: found out.
  proxy::Config proxy;                    // drop_invalid is as asked for; the host has a say, too.
  std::optional<proxy::Backend> backend;  // Nothing: auto.
  std::vector<SocketAddress> metrics_listen;   // Two for all addresses; empty: not served.
  PageAccess status_page = PageAccess::Local;  // Where metrics are.
  std::vector<SocketAddress> healthz_listen;
  std::chrono::milliseconds sync_period{30'000};  // How often everything is read back.
  std::chrono::milliseconds min_sync_period{0};
  bool sets_be_liberal = false;  // nf_conntrack_tcp_be_liberal is to be 1.
  bool cleanup = false;          // Remove everything and exit.
  bool programs_services = true;
  NodeDnsConfig dns;
  std::string log_level;
  log::Format log_format = log::Format::Text;
  std::vector<ShownValue> shown;  // Every option by its flag, in the table's order.
};

// Makes a NodeConfig, or says everything that is wrong.  `file` has flattened keys
// (config_reader.h).
std::expected<NodeConfig, Problems> interpret_node(const std::vector<Setting>& file,
                                                   const std::vector<Setting>& flags);

// Reads `file`, if any, and interprets it together with `flags`.
std::expected<NodeConfig, Problems> load_node_config(
    const std::optional<std::filesystem::path>& file, const std::vector<Setting>& flags);

// Reads a duration as Go writes it, of which kube-proxy's are whole milliseconds: "30s", "1m30s",
// "1h0m0s", "250ms", "0".
std::optional<std::chrono::milliseconds> go_duration_from_text(std::string_view text) noexcept;

}  // namespace waypost::ops
