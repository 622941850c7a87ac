#include "proxy/rule_diff.h"

#include "proxy/chain_name.h"

#include <algorithm>
#include <cstdint>
#include <unordered_set>
#include <utility>

namespace waypost::proxy {
namespace {

// KUBE-FIREWALL is filled by the kubelet as well: rules are added where missing, nothing else.
bool is_shared_chain(std::string_view name) noexcept {
  return name == FirewallChain;
}

bool is_base_chain(std::string_view name) noexcept {
  return name == "INPUT" || name == "FORWARD" || name == "OUTPUT" || name == "PREROUTING" ||
         name == "POSTROUTING";
}

std::vector<std::string_view> rules_of(const Chain& chain) {
  std::vector<std::string_view> rules;
  rules.reserve(chain.size());
  for (std::size_t i = 0; i < chain.size(); ++i) {
    rules.push_back(chain.rule(i));
  }
  return rules;
}

// Which rules of `from` stay and as which of `to`: a longest common subsequence as pairs of
// indices.
std::vector<std::pair<std::size_t, std::size_t>> common_rules(
    const std::vector<std::string_view>& from, const std::vector<std::string_view>& to) {
  std::size_t prefix = 0;
  while (prefix < from.size() && prefix < to.size() && from[prefix] == to[prefix]) {
    ++prefix;
  }
  std::size_t suffix = 0;
  while (suffix < from.size() - prefix && suffix < to.size() - prefix &&
         from[from.size() - 1 - suffix] == to[to.size() - 1 - suffix]) {
    ++suffix;
  }
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t i = 0; i < prefix; ++i) {
    pairs.emplace_back(i, i);
  }
  const std::size_t rows = from.size() - prefix - suffix;
  const std::size_t columns = to.size() - prefix - suffix;
  if (rows != 0 && columns != 0 && columns <= MaxComparedCells / rows) {
    // lengths[i][j]: of the longest common subsequence of what begins at row i, column j.
    const std::size_t width = columns + 1;
    std::vector<std::uint32_t> lengths((rows + 1) * width);
    for (std::size_t i = rows; i-- > 0;) {
      for (std::size_t j = columns; j-- > 0;) {
        lengths[i * width + j] =
            from[prefix + i] == to[prefix + j]
                ? lengths[(i + 1) * width + j + 1] + 1
                : std::max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
      }
    }
    for (std::size_t i = 0, j = 0; i < rows && j < columns;) {
      if (from[prefix + i] == to[prefix + j]) {
        pairs.emplace_back(prefix + i++, prefix + j++);
      } else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) {
        ++i;
      } else {
        ++j;
      }
    }
  }
  for (std::size_t i = suffix; i-- > 0;) {
    pairs.emplace_back(from.size() - 1 - i, to.size() - 1 - i);
  }
  return pairs;
}

// Writes one table's part of the input.
class TableWriter {
 public:
  TableWriter(Table table, const KernelState& actual, const RuleSet& desired, RestoreInput& out)
      : table_(table), actual_(actual), desired_(desired), out_(out) {
    for (const ForeignJump& jump : actual.jumps[static_cast<std::size_t>(table)]) {
      if (!is_base_chain(jump.chain)) {
        pinned_.insert(target_of(jump.rule));
      }
    }
  }

  void write() {
    sort_out_chains();
    declare();
    fill();
    edit();
    write_jumps();
    remove();
    if (is_open_) {
      line("COMMIT", NoOwner);
    }
  }

 private:
  struct Edited {
    ChainPointer chain;
    std::vector<RuleEdit> edits;
  };

  // Looks at every chain, but only at its address as long as it did not change.
  void sort_out_chains() {
    desired_.for_each(table_, [&](const ChainPointer& chain) {
      const ChainPointer& old = actual_.chains.find(table_, chain->name());
      if (old == nullptr) {
        written_.push_back(chain);
      } else if (is_shared_chain(chain->name())) {
        merge(old, chain);
      } else if (old != chain && !old->has_same_rules(*chain)) {
        auto edits = edits_between(rules_of(*old), rules_of(*chain));
        if (edits.size() * 2 > chain->size() + 1) {
          written_.push_back(chain);
        } else {
          edited_.push_back({chain, std::move(edits)});
        }
      }
    });
    actual_.chains.for_each(table_, [&](const ChainPointer& chain) {
      if (desired_.find(table_, chain->name()) != nullptr) {
        return;
      }
      if (!is_removable_chain(table_, chain->name())) {
        kept_.push_back(chain);
      } else if (pinned_.contains(chain->name())) {
        if (chain->size() != 0) {
          emptied_.push_back(chain);
        }
        kept_.push_back(ChainBuilder(chain->name()).finish());
      } else {
        removed_.push_back(chain);
      }
    });
    const auto by_name = [](const ChainPointer& a, const ChainPointer& b) {
      return a->name() < b->name();
    };
    std::sort(written_.begin(), written_.end(), by_name);
    std::sort(emptied_.begin(), emptied_.end(), by_name);
    std::sort(removed_.begin(), removed_.end(), by_name);
    std::sort(edited_.begin(), edited_.end(),
              [&](const Edited& a, const Edited& b) { return by_name(a.chain, b.chain); });
  }

  // Adds to a chain that others fill as well what it lacks.
  void merge(const ChainPointer& old, const ChainPointer& wanted) {
    const auto present = rules_of(*old);
    ChainBuilder merged(old->name());
    for (const std::string_view rule : present) {
      merged.add(rule);
    }
    Edited edited{wanted, {}};
    for (std::size_t i = 0; i < wanted->size(); ++i) {
      if (std::find(present.begin(), present.end(), wanted->rule(i)) == present.end()) {
        merged.add(wanted->rule(i), wanted->owner(i));
        edited.edits.push_back({RuleEdit::Kind::Insert, merged.size(), i});
      }
    }
    kept_.push_back(merged.finish());
    if (!edited.edits.empty()) {
      edited_.push_back(std::move(edited));
    }
  }

  void declare() {
    for (const ChainPointer& chain : written_) {
      line(":" + chain->name() + " - [0:0]", NoOwner);
      touch(chain->name());
    }
    for (const auto* gone : {&emptied_, &removed_}) {
      for (const ChainPointer& chain : *gone) {
        line(":" + chain->name() + " - [0:0]", NoOwner);
        touch(chain->name());
      }
    }
  }

  void fill() {
    for (const ChainPointer& chain : written_) {
      for (std::size_t i = 0; i < chain->size(); ++i) {
        rule_line("-A ", chain->name(), 0, chain->rule(i), chain->owner(i));
      }
    }
  }

  void edit() {
    for (const auto& [chain, edits] : edited_) {
      for (const RuleEdit& edit : edits) {
        write_edit(*chain, edit);
      }
      touch(chain->name());
    }
  }

  void write_edit(const Chain& chain, const RuleEdit& edit) {
    switch (edit.kind) {
      case RuleEdit::Kind::Insert:
        rule_line("-I ", chain.name(), edit.position, chain.rule(edit.rule),
                  chain.owner(edit.rule));
        break;
      case RuleEdit::Kind::Replace:
        rule_line("-R ", chain.name(), edit.position, chain.rule(edit.rule),
                  chain.owner(edit.rule));
        break;
      case RuleEdit::Kind::Delete:
        rule_line("-D ", chain.name(), edit.position, {}, NoOwner);
        break;
    }
  }

  void write_jumps() {
    std::vector<std::string> hooks;
    const auto add = [&](const std::string& hook) {
      if (is_base_chain(hook) && std::find(hooks.begin(), hooks.end(), hook) == hooks.end()) {
        hooks.push_back(hook);
      }
    };
    for (const Jump& jump : desired_.jumps()) {
      if (jump.table == table_) {
        add(jump.hook);
      }
    }
    for (const ForeignJump& jump : actual_.jumps[static_cast<std::size_t>(table_)]) {
      add(jump.chain);
    }
    for (const std::string& hook : hooks) {
      write_hook(hook);
    }
    for (const ForeignJump& jump : actual_.jumps[static_cast<std::size_t>(table_)]) {
      if (!is_base_chain(jump.chain)) {
        out_.after.jumps[static_cast<std::size_t>(table_)].push_back(jump);
      }
    }
  }

  // Puts our jumps of one hook into their order, as a whole ahead of what they were ahead of.
  void write_hook(const std::string& hook) {
    std::vector<const ForeignJump*> present;
    std::vector<std::string_view> from;
    for (const ForeignJump& jump : actual_.jumps[static_cast<std::size_t>(table_)]) {
      if (jump.chain == hook) {
        present.push_back(&jump);
        from.push_back(jump.rule);
      }
    }
    std::vector<std::string_view> to;
    for (const Jump& jump : desired_.jumps()) {
      if (jump.table == table_ && jump.hook == hook) {
        to.push_back(jump.rule);
      }
    }
    auto& after = out_.after.jumps[static_cast<std::size_t>(table_)];
    const std::size_t written_before = out_.rules_written;
    // Positions are kept for what stays; removal is by content, because others write to these
    // chains too.
    std::vector<std::size_t> positions(to.size(), 0);
    std::size_t removed = 0;
    const auto pairs = common_rules(from, to);
    auto pair = pairs.begin();
    for (std::size_t i = 0; i < present.size(); ++i) {
      if (pair != pairs.end() && pair->first == i) {
        positions[pair->second] = present[i]->position - removed;
        ++pair;
      } else if (is_removable_chain(table_, target_of(present[i]->rule))) {
        rule_line("-D ", hook, 0, present[i]->rule, NoOwner);
        ++removed;
      } else {
        after.push_back({hook, present[i]->position - removed, present[i]->rule});
      }
    }
    insert_jumps(hook, to, positions, after);
    if (out_.rules_written != written_before) {
      touch(hook);
    }
  }

  void insert_jumps(const std::string& hook, const std::vector<std::string_view>& to,
                    const std::vector<std::size_t>& positions, std::vector<ForeignJump>& after) {
    std::size_t inserted = 0;
    std::size_t last = 0;  // Where the jump before stands now.
    for (std::size_t i = 0; i < to.size(); ++i) {
      if (positions[i] != 0) {
        last = positions[i] + inserted;
      } else {
        const auto next =
            std::find_if(positions.begin() + static_cast<std::ptrdiff_t>(i), positions.end(),
                         [](std::size_t position) { return position != 0; });
        last = last != 0 ? last + 1 : next != positions.end() ? *next + inserted : 1;
        rule_line("-I ", hook, last, to[i], NoOwner);
        ++inserted;
      }
      after.push_back({hook, last, std::string(to[i])});
    }
  }

  void remove() {
    for (const ChainPointer& chain : removed_) {
      line("-X " + chain->name(), NoOwner);
    }
    for (const ChainPointer& chain : kept_) {
      out_.after.chains.put(table_, chain);
    }
  }

  void touch(std::string_view name) { out_.touched.push_back({table_, std::string(name)}); }

  // `position` 0: none.
  void rule_line(std::string_view command, std::string_view chain, std::size_t position,
                 std::string_view rule, OwnerId owner) {
    open();
    out_.text.append(command).append(chain);
    if (position != 0) {
      out_.text.append(" ").append(std::to_string(position));
    }
    if (!rule.empty()) {
      out_.text.append(" ").append(rule);
    }
    out_.text += '\n';
    out_.owners.push_back(owner);
    ++out_.rules_written;
    ++out_.rules_written_to[static_cast<std::size_t>(table_)];
  }

  void line(std::string_view text, OwnerId owner) {
    open();
    out_.text.append(text).append("\n");
    out_.owners.push_back(owner);
  }

  void open() {
    if (!is_open_) {
      is_open_ = true;
      out_.has_table[static_cast<std::size_t>(table_)] = true;
      out_.text.append("*").append(to_text(table_)).append("\n");
      out_.owners.push_back(NoOwner);
    }
  }

  const Table table_;
  const KernelState& actual_;
  const RuleSet& desired_;
  RestoreInput& out_;
  std::unordered_set<std::string_view> pinned_;
  std::vector<ChainPointer> written_;
  std::vector<Edited> edited_;
  std::vector<ChainPointer> emptied_;
  std::vector<ChainPointer> removed_;
  std::vector<ChainPointer> kept_;  // Not wanted, but there, or there with more than is wanted.
  bool is_open_ = false;
};

std::string describe(const ChainPointer& expected, const ChainPointer& actual) {
  if (actual == nullptr) {
    return "is missing";
  }
  if (expected == nullptr) {
    return "is there again";
  }
  if (expected->size() != actual->size()) {
    return "has " + std::to_string(actual->size()) + " rules, expected " +
           std::to_string(expected->size());
  }
  for (std::size_t i = 0; i < expected->size(); ++i) {
    if (expected->rule(i) != actual->rule(i)) {
      return "has as rule " + std::to_string(i + 1) + " '" + std::string(actual->rule(i)) +
             "', expected '" + std::string(expected->rule(i)) + "'";
    }
  }
  return "differs";
}

}  // namespace

std::vector<RuleEdit> edits_between(const std::vector<std::string_view>& from,
                                    const std::vector<std::string_view>& to) {
  std::vector<RuleEdit> edits;
  std::size_t old_at = 0;
  std::size_t new_at = 0;
  // `new_at` rules are in place at any moment, so the next position is new_at + 1.
  const auto edit_up_to = [&](std::size_t old_end, std::size_t new_end) {
    for (; old_at < old_end && new_at < new_end; ++old_at, ++new_at) {
      edits.push_back({RuleEdit::Kind::Replace, new_at + 1, new_at});
    }
    for (; old_at < old_end; ++old_at) {
      edits.push_back({RuleEdit::Kind::Delete, new_at + 1, 0});
    }
    for (; new_at < new_end; ++new_at) {
      edits.push_back({RuleEdit::Kind::Insert, new_at + 1, new_at});
    }
  };
  for (const auto& [old_index, new_index] : common_rules(from, to)) {
    edit_up_to(old_index, new_index);
    ++old_at;
    ++new_at;
  }
  edit_up_to(from.size(), to.size());
  return edits;
}

void put_table(KernelState& state, Table table, SavedTable saved) {
  for (const ChainPointer& chain : state.chains.sorted(table)) {
    state.chains.erase(table, chain->name());
  }
  for (ChainPointer& chain : saved.chains) {
    state.chains.put(table, std::move(chain));
  }
  state.jumps[static_cast<std::size_t>(table)] = std::move(saved.jumps);
}

RestoreInput make_restore(const KernelState& actual, const RuleSet& desired) {
  RestoreInput out;
  out.after.chains = desired;
  for (const Table table : AllTables) {
    TableWriter(table, actual, desired, out).write();
  }
  return out;
}

std::vector<Drift> find_drift(const KernelState& expected, const KernelState& actual, Table table) {
  std::vector<Drift> drift;
  expected.chains.for_each(table, [&](const ChainPointer& chain) {
    const ChainPointer& found = actual.chains.find(table, chain->name());
    if (found == nullptr ||
        (found != chain && !found->has_same_rules(*chain) && !is_shared_chain(chain->name()))) {
      drift.push_back({{table, chain->name()}, describe(chain, found)});
    }
  });
  actual.chains.for_each(table, [&](const ChainPointer& chain) {
    if (expected.chains.find(table, chain->name()) == nullptr &&
        is_removable_chain(table, chain->name())) {
      drift.push_back({{table, chain->name()}, describe(nullptr, chain)});
    }
  });
  const auto jumps_of = [&](const KernelState& state) {
    std::vector<std::pair<std::string, std::string>> jumps;
    for (const ForeignJump& jump : state.jumps[static_cast<std::size_t>(table)]) {
      if (is_base_chain(jump.chain) && is_removable_chain(table, target_of(jump.rule))) {
        jumps.emplace_back(jump.chain, jump.rule);
      }
    }
    return jumps;
  };
  const auto wanted = jumps_of(expected);
  const auto found = jumps_of(actual);
  for (const std::string_view hook : {"INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING"}) {
    std::vector<std::string_view> a;
    std::vector<std::string_view> b;
    for (const auto& [chain, rule] : wanted) {
      if (chain == hook) {
        a.push_back(rule);
      }
    }
    for (const auto& [chain, rule] : found) {
      if (chain == hook) {
        b.push_back(rule);
      }
    }
    if (a != b) {
      drift.push_back({{table, std::string(hook)},
                       "has " + std::to_string(b.size()) + " jumps to our chains, expected " +
                           std::to_string(a.size()) + " in their order"});
    }
  }
  return drift;
}

}  // namespace waypost::proxy
