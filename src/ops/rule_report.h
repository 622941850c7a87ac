// What `waypost plan` and `waypost explain` print: the rules that waypost-node would program with
// the same options, and the way of a packet through them, through what iptables-save printed, or
// through what is in the kernel.  Nothing in the kernel is touched.
//
// Not here: the command line (ops/flags.h).

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "ops/config.h"
#include "ops/node_config.h"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace waypost::ops {

// A packet as it is asked about.
struct PacketQuestion {
  std::string source;       // "10.244.1.5"
  std::string destination;  // "10.96.0.10:53/udp", "[fd00::1]:80"; TCP unless it says otherwise.
  std::string interface;    // By which it comes in; may be empty.
  // iptables-save output to walk, instead of the desired rules; "-" is standard input.
  std::optional<std::filesystem::path> saved_rules;
  // Walk the rules that are in force in this network namespace.  Needs CAP_NET_ADMIN.
  bool is_through_kernel = false;
};

struct RuleQuestion {
  // As waypost-node would have it; manifests may also be files (ManifestOptions::files), which go
  // before a folder and an API server.
  NodeConfig config;
  // The addresses of the node's interfaces, but for loopback ones.  Nothing: this host is the node.
  std::vector<IpAddress> node_addresses;
  std::optional<PacketQuestion> packet;  // Nothing: the rules themselves are asked for.
};

// The answer, to be printed on standard output, and what is wrong with manifests and Services all
// the same, for standard error.
struct RuleReport {
  std::string text;
  Problems problems;
};

// Fails when there is no answer: the folder or a file cannot be read, the API server fails or does
// not give everything within ApiPatience, the packet is none, the kernel's rules cannot be had, or
// there are none of a Service proxy among them.  A packet through rules that are there is explained
// without Services when nothing says where they come from.
Result<RuleReport> answer(const RuleQuestion& question);

inline constexpr std::chrono::seconds ApiPatience{60};

}  // namespace waypost::ops
