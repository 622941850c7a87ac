// The way of a connection's first packet through a rule set: every place it can come to, and the
// rules that lead there.  For tests, and for `waypost explain`.
//
// The hooks are walked in the kernel's order (Documentation: nft(8), iptables(8)).  A packet from
// the network: nat PREROUTING; then filter INPUT when the destination is the node's, else filter
// FORWARD and nat POSTROUTING.  One from the node itself: nat OUTPUT, filter OUTPUT, nat
// POSTROUTING, and filter INPUT when it stays on the node.  Where chance decides (statistic), both
// ways are gone.
//
// Not here: connections that exist already, the tables raw and mangle, routing beyond "is it the
// node's own address".

#pragma once

#include "base/ip_address.h"
#include "kube/objects.h"
#include "proxy/config.h"
#include "proxy/rule_set.h"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waypost::proxy {

enum class Origin : std::uint8_t { Network, Host };

struct Packet {
  IpAddress source;
  IpAddress destination;
  kube::Protocol protocol = kube::Protocol::Tcp;
  std::uint16_t port = 0;
  Origin origin = Origin::Network;
  std::string in_interface;   // Network only; empty: one that no rule names.
  std::string remembered_by;  // The list of `recent` that has the source; empty: none.
};

enum class Verdict : std::uint8_t { Accepted, Dropped, Rejected };

// A rule that matched, and had a part in the outcome.  Borrowed from the rule set.
struct Step {
  Table table = Table::Filter;
  std::string_view chain;  // Or the hook.
  std::string_view rule;
};

struct Outcome {
  Verdict verdict = Verdict::Accepted;
  SocketAddress destination;  // Where it arrives, or would have.
  bool is_translated = false;
  bool is_masqueraded = false;
  double probability = 0;  // Of all outcomes together: 1.
  std::vector<Step> way;   // Of the first of possibly several ways here.
};

struct Evaluation {
  std::vector<Outcome> outcomes;  // In the order in which they were found, each once.
  // Conditions that the evaluator does not know, with their chains: it took them for not met.
  std::set<std::string> unjudged;
  bool is_complete = true;  // False: a bound was reached, or a chain is missing (see `fault`).
  std::string fault;
};

// Bounds of one evaluation: rules looked at, outcomes, chains on top of each other.
inline constexpr std::size_t MaxSteps = 5'000'000;
inline constexpr std::size_t MaxOutcomes = 25'000;
inline constexpr std::size_t MaxNesting = 64;

// `dropping` are hooks whose policy is DROP (SavedRules).  Where `rules` has no chain of a hook's
// name, the hook consists of rules.jumps().  Addresses in `facts`, and loopback ones, are local.
Evaluation evaluate(const RuleSet& rules, const NodeFacts& facts, const Packet& packet,
                    const std::set<std::pair<Table, std::string>>& dropping = {});

}  // namespace waypost::proxy
