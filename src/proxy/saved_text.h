// The text that iptables-save prints, and iptables-restore takes, line by line.  Everything that
// reads such text reads it here.
//
//     *nat                            a table
//     :PREROUTING ACCEPT [12:720]     a chain of the kernel's own, with its policy and counters
//     :KUBE-SERVICES - [0:0]          a user's chain
//     [3:180] -A KUBE-SERVICES -j X   a rule; counters only with -c
//     COMMIT
//
// Not here: what the words of a rule mean (proxy/rule_parser.h), what becomes of the lines
// (proxy/saved_rules.h, proxy/backend.h).

#pragma once

#include "base/error.h"
#include "proxy/rule_set.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace waypost::proxy {

// One line, taken apart.  Views are into the text, and good until the next line.
struct SavedLine {
  enum class Kind : std::uint8_t {
    Table,    // Begins `table`.
    Chain,    // Declares `chain`.
    Rule,     // One more rule at the end of `chain`.
    Commit,   // Ends `table`.
    Unknown,  // None of these, or not in its place: a rule outside of every table.
  };
  Kind kind = Kind::Unknown;
  std::optional<Table> table;  // Nothing for a table that is not one of ours, such as mangle.
  std::string_view chain;
  std::string_view policy;    // Chain: "ACCEPT", "DROP"; "-" for a user's chain.
  std::string_view rule;      // Rule: what follows the chain's name; may be empty.
  std::uint64_t packets = 0;  // Rule: how many matched it; 0 without counters.
  std::size_t number = 0;     // Of the line, from 1.
  std::string_view text;      // All of it.
};

// A line that is longer is Unknown, cut to this: iptables-restore does not take one of 10 KiB.
inline constexpr std::size_t MaxSavedLine = std::size_t{64} << 10;

class SavedTextReader {
 public:
  using Take = std::function<void(const SavedLine&)>;

  // `take` is called for every line but empty ones and comments.
  explicit SavedTextReader(Take take) : take_(std::move(take)) {}

  // Takes the text in pieces of any size.
  void take(std::string_view piece);
  // Says that the text is over.  Fails, with the number of the line that is missing, when it ends
  // within a table.
  Result<void> finish();

 private:
  void keep(std::string_view part);
  void take_line(std::string_view line);

  Take take_;
  std::string rest_;  // The beginning of a line; MaxSavedLine + 1 octets at most.
  std::size_t number_ = 0;
  bool is_in_table_ = false;
  std::optional<Table> table_;
};

// The end of the word of a rule that begins at `at`; a quoted text is one word.
std::size_t word_end(std::string_view rule, std::size_t at) noexcept;

// The chain that `rule` hands the packet to ("-j X", "-g X"), or empty.  Built-in targets (ACCEPT,
// DNAT…) are returned as well.
std::string_view target_of(std::string_view rule) noexcept;

}  // namespace waypost::proxy
