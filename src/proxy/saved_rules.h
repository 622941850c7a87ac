// Keeps what is ours of what iptables-save prints.
//
// Not here: running iptables-save (proxy/iptables.h), taking its lines apart (proxy/saved_text.h).

#pragma once

#include "base/error.h"
#include "proxy/fixed_chains.h"
#include "proxy/rule_set.h"
#include "proxy/saved_text.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::proxy {

// Whether chains of this name, which are ours (proxy/chain_name.h), may be removed and filled anew:
// all but KUBE-FIREWALL, which the kubelet fills as well.
bool is_removable_chain(Table table, std::string_view name) noexcept;

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
  // How many packets the rules matched that are there to be counted; nothing for one that is not
  // there.  All 0 from a text without counters.
  std::array<std::optional<std::uint64_t>, RuleCounterCount> packets{};
};

// Reads the text of one table piece by piece.  Chains whose rules are those of `expected` become
// the same objects as there, so that reading back what was written costs no memory.
class SavedTableReader {
 public:
  // `expected` is borrowed and outlives the reader; null: nothing is expected.
  SavedTableReader(Table table, const RuleSet* expected);

  void take(std::string_view piece) { text_.take(piece); }
  // Ends the use of the reader.  A table that does not exist is an empty text, hence no chains.
  // Fails when the text ends inside the table.
  Result<SavedTable> finish();
  SavedTableReader(const SavedTableReader&) = delete;
  SavedTableReader& operator=(const SavedTableReader&) = delete;

 private:
  void take_line(const SavedLine& line);
  void take_rule(const SavedLine& line);
  void end_chain();

  Table table_;
  const RuleSet* expected_;
  SavedTextReader text_;
  std::vector<std::string> declared_;
  std::optional<ChainBuilder> open_;
  std::string open_name_;
  std::string foreign_name_;
  std::size_t foreign_position_ = 0;
  SavedTable saved_;
};

}  // namespace waypost::proxy
