// From what the kernel has to what it should have, as the least input for iptables-restore
// --noflush.
//
// Within a table everything is one transaction: chains that come are there before the rules that
// lead to them, chains that go are emptied first and removed last.  A chain that stays is edited
// by -I, -D and -R lines with indices, or filled anew when that is less to say.  Rules of others
// are never touched; a chain of ours that somebody else's rule leads to is emptied but stays.
//
// Not here: running iptables-restore, retries and quarantine (proxy/applier.h).

#pragma once

#include "proxy/rule_set.h"
#include "proxy/saved_rules.h"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::proxy {

// What the kernel has of ours.
struct KernelState {
  RuleSet chains;  // Its jumps() are not used.
  // Rules elsewhere that lead to our chains, by table, in the order of their positions.
  std::array<std::vector<ForeignJump>, TableCount> jumps;
};

// Reads one table into `state`, in place of what it had of that table.
void put_table(KernelState& state, Table table, SavedTable saved);

struct RestoreInput {
  std::string text;
  // Whose each line is, by line number - 1; NoOwner for lines that are nobody's.
  std::vector<OwnerId> owners;
  // Chains that are written, changed or removed, and those that get or lose jumps.
  std::vector<ChainKey> touched;
  std::size_t rules_written = 0;                           // -A, -I, -R and -D lines.
  std::array<std::size_t, TableCount> rules_written_to{};  // The same by table.
  std::array<bool, TableCount> has_table{};
  // What the kernel has when all of it was applied, but for the positions of jumps, which are to be
  // read again before they are edited.
  KernelState after;

  bool is_empty() const noexcept { return text.empty(); }
};

RestoreInput make_restore(const KernelState& actual, const RuleSet& desired);

// The chains in which `actual` is not what `expected` says, with how they differ.
struct Drift {
  ChainKey chain;
  std::string what;  // "is missing", "has 3 rules, expected 4"…
};
std::vector<Drift> find_drift(const KernelState& expected, const KernelState& actual, Table table);

// One change of a list of rules; positions count from 1 and refer to the list as it is by then.
struct RuleEdit {
  enum class Kind : std::uint8_t { Insert, Delete, Replace };
  Kind kind;
  std::size_t position;
  std::size_t rule;  // Index in the new list; not used by Delete.

  friend bool operator==(const RuleEdit&, const RuleEdit&) = default;
};

// A shortest list of edits but for its bound: when the lists differ in more than MaxComparedCells
// pairs of rules, everything between their common beginning and end is exchanged.
std::vector<RuleEdit> edits_between(const std::vector<std::string_view>& from,
                                    const std::vector<std::string_view>& to);
inline constexpr std::size_t MaxComparedCells = 250'000;

}  // namespace waypost::proxy
