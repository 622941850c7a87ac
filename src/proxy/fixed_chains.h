// The chains that exist once, and the jumps that lead to them.

#pragma once

#include "kube/objects.h"
#include "proxy/config.h"
#include "proxy/rule_set.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::proxy {

// The jumps from the kernel's hooks, in the order in which they have to stand ahead of all others:
// kube-proxy's, with its comments, so that what an earlier kube-proxy left there is right.
std::vector<Jump> fixed_jumps(const Config& config, kube::IpFamily family);

// Rules that are there to be counted, too: the kernel counts the packets that match each rule.
enum class RuleCounter : std::uint8_t {
  InvalidDropped,    // Dropped because connection tracking cannot place them (k8s#74839).
  LocalhostEntered,  // New connections to a loopback address that NodePorts are looked up for.
  LocalhostLeft,     // Those of them that were to no NodePort.
};
inline constexpr std::size_t RuleCounterCount = 3;

// What a rule of ours counts, if anything.
std::optional<RuleCounter> counter_of(Table table, std::string_view chain,
                                      std::string_view rule) noexcept;

// Whether a chain is part of the set: the root of a tree, which is there while the tree has rules.
using HasChain = std::function<bool(Table, std::string_view)>;

struct FixedChain {
  Table table;
  ChainPointer chain;
};
std::vector<FixedChain> fixed_chains(const Config& config, const NodeFacts& facts,
                                     kube::IpFamily family, const HasChain& has_chain);

// Whether NodePorts are translated on this address, if it is one of the node's.
bool serves_node_ports_on(const Config& config, const NodeFacts& facts, const IpAddress& address);

}  // namespace waypost::proxy
