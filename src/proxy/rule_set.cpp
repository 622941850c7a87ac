#include "proxy/rule_set.h"

#include <algorithm>
#include <utility>

namespace waypost::proxy {
namespace {

const ChainPointer NoChain;

}  // namespace

std::string_view to_text(Table table) noexcept {
  switch (table) {
    case Table::Filter:
      return "filter";
    case Table::Nat:
      return "nat";
    case Table::Raw:
      return "raw";
  }
  return {};
}

std::size_t Chain::memory() const noexcept {
  return sizeof(Chain) + name_.capacity() + text_.capacity() + ends_.capacity() * sizeof(ends_[0]) +
         owners_.capacity() * sizeof(OwnerId);
}

// ---- ChainBuilder -----------------------------------------------------------------------------

ChainBuilder::ChainBuilder(std::string name, OwnerId owner) {
  chain_.name_ = std::move(name);
  chain_.owner_ = owner;
}

void ChainBuilder::add(std::string_view rule, OwnerId owner) {
  // Owners are written down for each rule from the first one that differs.
  if (chain_.owners_.empty() && owner != chain_.owner_) {
    chain_.owners_.assign(size(), chain_.owner_);
    chain_.owners_.push_back(owner);
  } else if (!chain_.owners_.empty()) {
    chain_.owners_.push_back(owner);
  }
  chain_.text_ += rule;
  chain_.ends_.push_back(static_cast<std::uint32_t>(chain_.text_.size()));
}

ChainPointer ChainBuilder::finish() {
  chain_.text_.shrink_to_fit();
  chain_.ends_.shrink_to_fit();
  chain_.owners_.shrink_to_fit();
  std::uint64_t hash = std::hash<std::string>()(chain_.text_);
  for (const std::uint32_t end : chain_.ends_) {
    hash = (hash ^ end) * 0x9e3779b97f4a7c15ULL;
  }
  chain_.hash_ = hash;
  return std::make_shared<const Chain>(std::move(chain_));
}

// ---- RuleSet ----------------------------------------------------------------------------------

const ChainPointer& RuleSet::find(Table table, std::string_view name) const noexcept {
  const Room& room = rooms_[static_cast<std::size_t>(table)];
  const auto at = room.chains.find(name);
  return at == room.chains.end() ? NoChain : at->second;
}

void RuleSet::put(Table table, ChainPointer chain) {
  erase(table, chain->name());  // The key belongs to the old chain.
  Room& room = rooms_[static_cast<std::size_t>(table)];
  room.rules += chain->size();
  const std::string_view name = chain->name();
  room.chains.emplace(name, std::move(chain));
}

bool RuleSet::erase(Table table, std::string_view name) {
  Room& room = rooms_[static_cast<std::size_t>(table)];
  const auto at = room.chains.find(name);
  if (at == room.chains.end()) {
    return false;
  }
  room.rules -= at->second->size();
  const ChainPointer alive = at->second;  // `name` may be the chain's own.
  room.chains.erase(at);
  return true;
}

void RuleSet::for_each(Table table, const std::function<void(const ChainPointer&)>& visit) const {
  for (const auto& [name, chain] : rooms_[static_cast<std::size_t>(table)].chains) {
    visit(chain);
  }
}

std::vector<ChainPointer> RuleSet::sorted(Table table) const {
  std::vector<ChainPointer> chains;
  chains.reserve(chain_count(table));
  for_each(table, [&](const ChainPointer& chain) { chains.push_back(chain); });
  std::sort(chains.begin(), chains.end(),
            [](const ChainPointer& a, const ChainPointer& b) { return a->name() < b->name(); });
  return chains;
}

std::size_t RuleSet::chain_count(Table table) const noexcept {
  return rooms_[static_cast<std::size_t>(table)].chains.size();
}

std::size_t RuleSet::rule_count(Table table) const noexcept {
  return rooms_[static_cast<std::size_t>(table)].rules;
}

std::size_t RuleSet::memory() const noexcept {
  std::size_t octets = 0;
  for (const Room& room : rooms_) {
    for (const auto& [name, chain] : room.chains) {
      octets += chain->memory();
    }
  }
  return octets;
}

std::string to_text(const RuleSet& rules) {
  std::string out;
  for (const Table table : AllTables) {
    if (table == Table::Raw && rules.chain_count(table) == 0) {
      continue;  // Only a node that answers DNS has rules there.
    }
    const auto chains = rules.sorted(table);
    out.append("*").append(to_text(table)).append("\n");
    for (const ChainPointer& chain : chains) {
      out.append(":").append(chain->name()).append(" - [0:0]\n");
    }
    for (const Jump& jump : rules.jumps()) {
      if (jump.table == table) {
        out.append("-A ").append(jump.hook).append(" ").append(jump.rule).append("\n");
      }
    }
    for (const ChainPointer& chain : chains) {
      for (std::size_t i = 0; i < chain->size(); ++i) {
        out.append("-A ").append(chain->name()).append(" ").append(chain->rule(i)).append("\n");
      }
    }
    out.append("COMMIT\n");
  }
  return out;
}

}  // namespace waypost::proxy
