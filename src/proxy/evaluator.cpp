#include "proxy/evaluator.h"

#include "proxy/rule_parser.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <unordered_map>

namespace waypost::proxy {
namespace {

enum class Hook : std::uint8_t {
  NatPrerouting,
  NatOutput,
  FilterOutput,
  FilterForward,
  NatPostrouting,
  FilterInput,
  Done,
};

struct HookRule {
  Table table;
  std::string_view name;
};

constexpr HookRule rule_of(Hook hook) noexcept {
  switch (hook) {
    case Hook::NatPrerouting:
      return {Table::Nat, "PREROUTING"};
    case Hook::NatOutput:
      return {Table::Nat, "OUTPUT"};
    case Hook::FilterOutput:
      return {Table::Filter, "OUTPUT"};
    case Hook::FilterForward:
      return {Table::Filter, "FORWARD"};
    case Hook::NatPostrouting:
      return {Table::Nat, "POSTROUTING"};
    case Hook::FilterInput:
    case Hook::Done:
      break;
  }
  return {Table::Filter, "INPUT"};
}

// A chain with its rules taken apart.
struct ReadyChain {
  std::string_view name;  // Like the texts, borrowed from the rule set, or a hook's constant name.
  std::vector<std::string_view> texts;
  std::vector<ParsedRule> rules;
};

struct Frame {
  const ReadyChain* chain = nullptr;
  std::size_t next = 0;
  std::size_t steps = 0;  // How many there were when it was jumped to, the jump included.
};

// One possible way, as far as it has come.
struct Way {
  Hook hook = Hook::Done;
  std::vector<Frame> frames;
  SocketAddress destination;
  std::uint32_t mark = 0;
  bool is_translated = false;
  bool is_masqueraded = false;
  double probability = 1;
  std::vector<Step> steps;
};

bool is_met(bool holds, bool is_not) noexcept {
  return holds != is_not;
}

bool is_interface(std::string_view pattern, std::string_view name) noexcept {
  return pattern.ends_with('+') ? name.starts_with(pattern.substr(0, pattern.size() - 1))
                                : pattern == name;
}

// The part of classic BPF that address comparisons need, over an IP header without options or
// payload.  Anything else does not match.
bool run_program(const std::vector<BpfInstruction>& program, const IpAddress& source,
                 const IpAddress& destination) {
  std::array<std::uint8_t, 40> header{};
  const bool is_v4 = source.is_v4();
  std::copy(source.octets().begin(), source.octets().end(), header.begin() + (is_v4 ? 12 : 8));
  std::copy(destination.octets().begin(), destination.octets().end(),
            header.begin() + (is_v4 ? 16 : 24));
  std::uint32_t a = 0;
  std::uint32_t x = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const BpfInstruction& step = program[at];
    switch (step.code) {
      case 0x20:  // ld [k]
        if (step.value > header.size() - 4) {
          return false;
        }
        a = 0;
        for (std::size_t i = 0; i < 4; ++i) {
          a = (a << 8) | header[step.value + i];
        }
        break;
      case 0x07:  // tax
        x = a;
        break;
      case 0x15:  // jeq k
        at += a == step.value ? step.if_true : step.if_false;
        break;
      case 0x1d:  // jeq x
        at += a == x ? step.if_true : step.if_false;
        break;
      case 0x06:  // ret k
        return step.value != 0;
      default:
        return false;
    }
  }
  return false;
}

class Walker {
 public:
  Walker(const RuleSet& rules, const NodeFacts& facts, const Packet& packet,
         const std::set<std::pair<Table, std::string>>& dropping)
      : rules_(rules), facts_(facts), packet_(packet), dropping_(dropping) {}

  Evaluation walk();

 private:
  void enter(Way& way, Hook hook);
  Hook next_hook(const Way& way) const;
  void go(Way way);
  bool apply(Way& way, const ParsedRule& rule);  // False: the way has ended.
  bool matches(const Way& way, const ParsedRule& rule, std::string_view chain);
  void leave(Way& way) const;
  bool has_states(const Way& way, const std::set<std::string>& states) const;
  std::string_view in_interface(const Way& way) const noexcept;
  bool is_local(const IpAddress& address) const;
  void end(const Way& way, Verdict verdict);
  void stop(std::string fault) {
    result_.is_complete = false;
    if (result_.fault.empty()) {
      result_.fault = std::move(fault);
    }
  }
  const ReadyChain* chain(Table table, std::string_view name);
  const ReadyChain* hook_chain(Hook hook);
  const ReadyChain* ready(Table table, std::string_view name,
                          const std::vector<std::string_view>& texts);

  const RuleSet& rules_;
  const NodeFacts& facts_;
  const Packet& packet_;
  const std::set<std::pair<Table, std::string>>& dropping_;
  std::map<std::pair<Table, std::string>, ReadyChain> ready_;
  std::vector<Way> open_;  // Ways that were branched off and are still to be gone.
  std::size_t steps_ = 0;
  Evaluation result_;
  std::map<std::tuple<Verdict, IpAddress, std::uint16_t, bool>, std::size_t> known_;
};

// ---- Chains -----------------------------------------------------------------------------------

const ReadyChain* Walker::ready(Table table, std::string_view name,
                                const std::vector<std::string_view>& texts) {
  const auto [at, is_new] = ready_.try_emplace({table, std::string(name)});
  if (is_new) {
    at->second.name = name;
    for (const std::string_view text : texts) {
      auto rule = parse_rule(text);
      if (!rule) {
        stop("the rule '" + std::string(text) + "' cannot be read: " + rule.error().message);
        continue;
      }
      at->second.texts.push_back(text);
      at->second.rules.push_back(std::move(*rule));
    }
  }
  return &at->second;
}

const ReadyChain* Walker::chain(Table table, std::string_view name) {
  if (const auto at = ready_.find({table, std::string(name)}); at != ready_.end()) {
    return &at->second;
  }
  const ChainPointer& found = rules_.find(table, name);
  if (found == nullptr) {
    return nullptr;
  }
  std::vector<std::string_view> texts;
  for (std::size_t i = 0; i < found->size(); ++i) {
    texts.push_back(found->rule(i));
  }
  return ready(table, found->name(), texts);
}

const ReadyChain* Walker::hook_chain(Hook hook) {
  const auto [table, name] = rule_of(hook);
  if (const ReadyChain* own = chain(table, name)) {
    return own;
  }
  std::vector<std::string_view> texts;
  for (const Jump& jump : rules_.jumps()) {
    if (jump.table == table && jump.hook == name) {
      texts.push_back(jump.rule);
    }
  }
  return ready(table, name, texts);
}

// ---- Matching ---------------------------------------------------------------------------------

bool Walker::is_local(const IpAddress& address) const {
  return address.is_loopback() || std::find(facts_.addresses.begin(), facts_.addresses.end(),
                                            address) != facts_.addresses.end();
}

std::string_view Walker::in_interface(const Way& way) const noexcept {
  if (packet_.origin == Origin::Host) {
    return way.hook == Hook::FilterInput ? "lo" : "";
  }
  return way.hook == Hook::NatPostrouting ? std::string_view() : packet_.in_interface;
}

bool Walker::has_states(const Way& way, const std::set<std::string>& states) const {
  return states.contains("NEW") || (states.contains("DNAT") && way.is_translated) ||
         (states.contains("SNAT") && way.is_masqueraded);
}

bool Walker::matches(const Way& way, const ParsedRule& rule, std::string_view chain) {
  const auto holds = [](const auto& condition, auto test) {
    return !condition || is_met(test(condition->value), condition->is_not);
  };
  const auto is_type = [&](const IpAddress& address, const std::string& type) {
    return type == "LOCAL" && is_local(address);
  };
  const IpAddress& destination = way.destination.address;
  const bool is_met_so_far =
      holds(rule.source, [&](const IpPrefix& p) { return p.contains(packet_.source); }) &&
      holds(rule.destination, [&](const IpPrefix& p) { return p.contains(destination); }) &&
      holds(rule.in_interface,
            [&](const std::string& p) { return is_interface(p, in_interface(way)); }) &&
      holds(rule.protocol,
            [&](const std::string& p) {
              return p == "all" || p == kube::to_text(packet_.protocol);
            }) &&
      holds(rule.destination_port,
            [&](const PortRange& p) {
              return way.destination.port >= p.low && way.destination.port <= p.high;
            }) &&
      holds(rule.source_type,
            [&](const std::string& type) { return is_type(packet_.source, type); }) &&
      holds(rule.destination_type,
            [&](const std::string& type) { return is_type(destination, type); }) &&
      holds(rule.states,
            [&](const std::set<std::string>& states) { return has_states(way, states); }) &&
      holds(rule.mark, [&](const MarkMatch& m) { return (way.mark & m.mask) == m.value; }) &&
      (!rule.remembered_by || *rule.remembered_by == packet_.remembered_by) &&
      (rule.program.empty() || run_program(rule.program, packet_.source, destination));
  if (!is_met_so_far) {
    return false;
  }
  // Only where it makes the difference.
  std::vector<std::string> unknown = rule.unknown;
  if (rule.out_interface) {
    unknown.push_back("-o " + rule.out_interface->value);
  }
  if (rule.source_port) {
    unknown.push_back("--sport");
  }
  for (const std::string& condition : unknown) {
    result_.unjudged.insert(std::string(chain) + ": " + condition);
  }
  return unknown.empty();
}

// ---- Walking ----------------------------------------------------------------------------------

Hook Walker::next_hook(const Way& way) const {
  switch (way.hook) {
    case Hook::NatPrerouting:
      return is_local(way.destination.address) ? Hook::FilterInput : Hook::FilterForward;
    case Hook::NatOutput:
      return Hook::FilterOutput;
    case Hook::FilterOutput:
    case Hook::FilterForward:
      return Hook::NatPostrouting;
    case Hook::NatPostrouting:
      return packet_.origin == Origin::Host && is_local(way.destination.address) ? Hook::FilterInput
                                                                                 : Hook::Done;
    case Hook::FilterInput:
    case Hook::Done:
      break;
  }
  return Hook::Done;
}

void Walker::enter(Way& way, Hook hook) {
  way.hook = hook;
  way.frames.clear();
  if (hook != Hook::Done) {
    way.frames.push_back({hook_chain(hook), 0});
  }
}

// Back from a chain.  Jumps that came to nothing are no part of the way.
void Walker::leave(Way& way) const {
  const std::size_t steps = way.frames.back().steps;
  way.frames.pop_back();
  if (steps != 0 && way.steps.size() == steps) {
    way.steps.pop_back();
  }
}

void Walker::end(const Way& way, Verdict verdict) {
  const auto [at, is_new] = known_.try_emplace(
      {verdict, way.destination.address, way.destination.port, way.is_masqueraded},
      result_.outcomes.size());
  if (is_new) {
    result_.outcomes.push_back({.verdict = verdict,
                                .destination = way.destination,
                                .is_translated = way.is_translated,
                                .is_masqueraded = way.is_masqueraded,
                                .way = way.steps});
  }
  result_.outcomes[at->second].probability += way.probability;
}

// Does what the matching rule says.
bool Walker::apply(Way& way, const ParsedRule& rule) {
  const bool is_nat = rule_of(way.hook).table == Table::Nat;
  switch (rule.target) {
    case TargetKind::None:
      break;
    case TargetKind::Unknown:
    case TargetKind::Jump:
    case TargetKind::Goto: {
      const ReadyChain* target = chain(rule_of(way.hook).table, rule.chain);
      if (target == nullptr) {
        result_.unjudged.insert("the target " + rule.chain);
        break;
      }
      if (way.frames.size() >= MaxNesting) {
        stop("more than " + std::to_string(MaxNesting) + " chains on top of each other");
        return false;
      }
      if (rule.target == TargetKind::Goto) {
        way.frames.pop_back();
      }
      way.frames.push_back({target, 0, way.steps.size()});
      break;
    }
    case TargetKind::Return:
      way.steps.pop_back();
      leave(way);
      break;
    case TargetKind::Accept:
      enter(way, next_hook(way));
      break;
    case TargetKind::Drop:
      end(way, Verdict::Dropped);
      return false;
    case TargetKind::Reject:
      end(way, Verdict::Rejected);
      return false;
    case TargetKind::Dnat:
      if (is_nat && rule.new_destination) {
        way.destination.address = rule.new_destination->address;
        way.destination.port =
            rule.new_destination->port != 0 ? rule.new_destination->port : way.destination.port;
        way.is_translated = true;
        enter(way, next_hook(way));
      }
      break;
    case TargetKind::Masquerade:
      way.is_masqueraded = true;
      enter(way, next_hook(way));
      break;
    case TargetKind::SetMark:
      way.mark = (way.mark & ~rule.mark_mask) ^ rule.mark_value;
      break;
  }
  return true;
}

void Walker::go(Way way) {
  while (way.hook != Hook::Done) {
    if (++steps_ > MaxSteps) {
      stop("more than " + std::to_string(MaxSteps) + " rules on the way");
      return;
    }
    if (way.frames.empty() || way.frames.back().next >= way.frames.back().chain->rules.size()) {
      const bool is_at_end = way.frames.size() <= 1;
      if (!is_at_end) {
        leave(way);
        continue;
      }
      const auto [table, name] = rule_of(way.hook);
      if (dropping_.contains({table, std::string(name)})) {
        way.steps.push_back({table, name, "policy DROP"});
        end(way, Verdict::Dropped);
        return;
      }
      enter(way, next_hook(way));
      continue;
    }
    Frame& frame = way.frames.back();
    const ParsedRule& rule = frame.chain->rules[frame.next];
    const std::string_view text = frame.chain->texts[frame.next];
    const std::string_view name = frame.chain->name;
    ++frame.next;
    if (!matches(way, rule, name)) {
      continue;
    }
    if (rule.probability && *rule.probability < 1) {
      if (open_.size() + result_.outcomes.size() >= MaxOutcomes) {
        stop("more than " + std::to_string(MaxOutcomes) + " outcomes");
        return;
      }
      Way other = way;
      other.probability *= 1 - *rule.probability;
      open_.push_back(std::move(other));
      way.probability *= *rule.probability;
    }
    if (rule.target != TargetKind::None) {
      way.steps.push_back({rule_of(way.hook).table, name, text});
    }
    if (!apply(way, rule)) {
      return;
    }
  }
  end(way, Verdict::Accepted);
}

Evaluation Walker::walk() {
  Way first;
  first.destination = {packet_.destination, packet_.port};
  enter(first, packet_.origin == Origin::Host ? Hook::NatOutput : Hook::NatPrerouting);
  open_.push_back(std::move(first));
  while (!open_.empty()) {
    Way way = std::move(open_.back());
    open_.pop_back();
    go(std::move(way));
  }
  return std::move(result_);
}

}  // namespace

Evaluation evaluate(const RuleSet& rules, const NodeFacts& facts, const Packet& packet,
                    const std::set<std::pair<Table, std::string>>& dropping) {
  return Walker(rules, facts, packet, dropping).walk();
}

}  // namespace waypost::proxy
