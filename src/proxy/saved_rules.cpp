#include "proxy/saved_rules.h"

#include "proxy/chain_name.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace waypost::proxy {
bool is_removable_chain(Table table, std::string_view name) noexcept {
  return is_own_chain(table, name) && name != FirewallChain;
}

SavedTableReader::SavedTableReader(Table table, const RuleSet* expected)
    : table_(table), expected_(expected), text_([this](const SavedLine& line) {
        if (line.table == table_) {
          take_line(line);
        }
      }) {}

// A line that cannot be placed is somebody else's: a comment may have line ends in it.
void SavedTableReader::take_line(const SavedLine& line) {
  switch (line.kind) {
    case SavedLine::Kind::Commit:
      end_chain();
      break;
    case SavedLine::Kind::Chain:
      if (is_own_chain(table_, line.chain)) {
        declared_.emplace_back(line.chain);
      }
      break;
    case SavedLine::Kind::Rule:
      take_rule(line);
      break;
    case SavedLine::Kind::Table:
    case SavedLine::Kind::Unknown:
      break;
  }
}

void SavedTableReader::take_rule(const SavedLine& line) {
  const std::string_view chain = line.chain;
  const std::string_view rule = line.rule;
  if (const auto counter = counter_of(table_, chain, rule)) {
    saved_.packets[static_cast<std::size_t>(*counter)] = line.packets;
  }
  if (is_own_chain(table_, chain)) {
    if (!open_ || open_name_ != chain) {
      end_chain();
      open_name_ = chain;
      open_.emplace(open_name_);
    }
    open_->add(rule);
    return;
  }
  if (foreign_name_ != chain) {
    foreign_name_ = chain;
    foreign_position_ = 0;
  }
  ++foreign_position_;
  if (is_own_chain(table_, target_of(rule))) {
    saved_.jumps.push_back({std::string(chain), foreign_position_, std::string(rule)});
  }
}

void SavedTableReader::end_chain() {
  if (!open_) {
    return;
  }
  ChainPointer chain = open_->finish();
  open_.reset();
  if (expected_ != nullptr) {
    const ChainPointer& known = expected_->find(table_, chain->name());
    if (known != nullptr && known->has_same_rules(*chain)) {
      chain = known;
    }
  }
  saved_.chains.push_back(std::move(chain));
}

Result<SavedTable> SavedTableReader::finish() {
  if (const Result<void> ended = text_.finish(); !ended) {
    return failure(ErrorKind::System,
                   "the text of table " + std::string(to_text(table_)) + " ends before its COMMIT");
  }
  // iptables-save declares every chain and then says nothing more of an empty one.
  std::unordered_set<std::string_view> filled;
  for (const ChainPointer& chain : saved_.chains) {
    filled.insert(chain->name());
  }
  for (std::string& name : declared_) {
    if (!filled.contains(name)) {
      open_.emplace(std::move(name));
      end_chain();
    }
  }
  return std::move(saved_);
}

}  // namespace waypost::proxy
