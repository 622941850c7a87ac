// Reads what iptables-save prints, keeping what is ours.
//
// Not here: running iptables-save (proxy/iptables.h).

#pragma once

#include "base/error.h"
#include "proxy/rule_set.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::proxy {

// Whether chains of this name, which are ours (proxy/chain_name.h), may be removed and filled anew:
// all but KUBE-FIREWALL, which the kubelet fills as well.
bool is_removable_chain(Table table, std::string_view name) noexcept;

// The chain that `rule` hands the packet to ("-j X", "-g X"), or empty.  Built-in targets (ACCEPT,
// DNAT…) are returned as well.
std::string_view target_of(std::string_view rule) noexcept;

// A rule in somebody else's chain that leads to one of ours.
struct ForeignJump {
  std::string chain;         // "PREROUTING", or a user's own chain.
  std::size_t position = 0;  // In that chain, from 1.
  std::string rule;

  friend bool operator==(const ForeignJump&, const ForeignJump&) = default;
};

struct SavedTable {
  std::vector<ChainPointer> chains;  // Ours, as they are, in the order of the text.
  std::vector<ForeignJump> jumps;
};

// Reads the text of one table piece by piece.  Chains whose rules are those of `expected` become
// the same objects as there, so that reading back what was written costs no memory.
class SavedTableReader {
 public:
  // `expected` is borrowed and outlives the reader; null: nothing is expected.
  SavedTableReader(Table table, const RuleSet* expected) : table_(table), expected_(expected) {}

  void take(std::string_view piece);
  // Ends the use of the reader.  A table that does not exist is an empty text, hence no chains.
  // Fails when the text ends inside the table.
  Result<SavedTable> finish();

 private:
  void take_line(std::string_view line);
  void take_rule(std::string_view chain, std::string_view rule);
  void end_chain();

  Table table_;
  const RuleSet* expected_;
  std::string rest_;  // The beginning of a line.
  std::vector<std::string> declared_;
  std::optional<ChainBuilder> open_;
  std::string open_name_;
  std::string foreign_name_;
  std::size_t foreign_position_ = 0;
  SavedTable saved_;
  bool in_table_ = false;
};

}  // namespace waypost::proxy
