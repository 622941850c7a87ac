// Rule texts, as iptables-save prints them, taken apart; ours and those of others.
//
// Not here: lines and counters (proxy/saved_text.h), what a packet meets (proxy/evaluator.h).

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "proxy/rule_set.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waypost::proxy {

// A condition, or its opposite.
template <typename T>
struct Condition {
  T value{};
  bool is_not = false;
};

struct PortRange {
  std::uint16_t low = 0;
  std::uint16_t high = 0xffff;
};

struct MarkMatch {
  std::uint32_t value = 0;
  std::uint32_t mask = 0xffffffff;
};

// One instruction of classic BPF.
struct BpfInstruction {
  std::uint16_t code = 0;
  std::uint8_t if_true = 0;
  std::uint8_t if_false = 0;
  std::uint32_t value = 0;
};

enum class TargetKind : std::uint8_t {
  None,  // Counts and goes on.
  Jump,
  Goto,
  Return,
  Accept,
  Drop,
  Reject,
  Dnat,
  Masquerade,
  SetMark,
  Unknown,  // A target that is not judged; its name is in `chain`.
};

struct ParsedRule {
  std::optional<Condition<IpPrefix>> source;
  std::optional<Condition<IpPrefix>> destination;
  std::optional<Condition<std::string>> in_interface;  // May end in '+'.
  std::optional<Condition<std::string>> out_interface;
  std::optional<Condition<std::string>> protocol;  // "tcp"
  std::optional<Condition<PortRange>> source_port;
  std::optional<Condition<PortRange>> destination_port;
  std::optional<Condition<std::string>> source_type;       // "LOCAL"
  std::optional<Condition<std::string>> destination_type;  // "LOCAL"
  std::optional<Condition<std::set<std::string>>> states;  // "NEW", "ESTABLISHED", "DNAT"…
  std::optional<Condition<MarkMatch>> mark;
  std::optional<double> probability;
  std::optional<std::string> remembered_by;  // recent --rcheck: the list's name.
  std::vector<BpfInstruction> program;       // Of "-m bpf"; empty: none.
  std::string comment;
  std::vector<std::string> unknown;  // Conditions that are not judged: "-m set --match-set x src".

  TargetKind target = TargetKind::None;
  std::string chain;                             // Jump, Goto, Unknown.
  std::optional<SocketAddress> new_destination;  // Dnat; port 0: unchanged.
  std::uint32_t mark_value = 0;                  // SetMark: mark = (mark & ~mask) ^ value
  std::uint32_t mark_mask = 0;
};

// Takes any rule; what it does not know is in `unknown`.  Fails where the text is no rule: a quote
// without end, an option without value, an address that is none.
Result<ParsedRule> parse_rule(std::string_view text);

// What iptables-save printed.
struct SavedRules {
  RuleSet rules;  // The hooks' own chains are there like others ("PREROUTING"); no jumps.
  // Hooks that drop what their rules did not decide.
  std::set<std::pair<Table, std::string>> dropping;
};

// Reads the tables nat and filter; others are left out.  Rules are kept as they are written.  Fails
// with the line's number.
Result<SavedRules> parse_saved_rules(std::string_view text);

}  // namespace waypost::proxy
