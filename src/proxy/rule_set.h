// The iptables rules of one address family, as they should be or as they are.
//
// A rule is a text: what iptables-save prints after "-A CHAIN ", in exactly that spelling for both
// backends (iptables 1.8.9), so that a desired rule and one that was read back compare as texts.
// Chains are immutable and shared: the desired and the committed set hold the same object for a
// chain that did not change, and comparing two sets is comparing pointers, then hashes.
//
// Not here: where rules come from (proxy/compiler.h), what a packet meets (proxy/evaluator.h), how
// they get into the kernel.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace waypost::proxy {

enum class Table : std::uint8_t { Filter, Nat, Raw };
inline constexpr std::size_t TableCount = 3;
inline constexpr std::array<Table, TableCount> AllTables = {Table::Filter, Table::Nat, Table::Raw};

// "filter", "nat", "raw".
std::string_view to_text(Table table) noexcept;

// Who a rule is for: a number that the compiler resolves to a Service (Compiler::owner()).
using OwnerId = std::uint32_t;
inline constexpr OwnerId NoOwner = 0xffffffff;  // Everybody's, or not ours.

// The longest name that both backends accept, in octets.
inline constexpr std::size_t MaxChainName = 28;

// One chain and its rules in order.  Immutable, hence safe to share between threads.
class Chain {
 public:
  const std::string& name() const noexcept { return name_; }
  // How many rules there are.
  std::size_t size() const noexcept { return ends_.size(); }
  // The rule number `i`, from 0; valid as long as the chain.
  std::string_view rule(std::size_t i) const noexcept {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(text_).substr(begin, ends_[i] - begin);
  }
  // Who rule number `i` is for.
  OwnerId owner(std::size_t i) const noexcept { return owners_.empty() ? owner_ : owners_[i]; }
  // Whether it was made for one owner alone.
  bool is_owned() const noexcept { return owner_ != NoOwner; }
  // Of the rules in their order, not of the name.
  std::uint64_t hash() const noexcept { return hash_; }
  bool has_same_rules(const Chain& other) const noexcept {
    return hash_ == other.hash_ && ends_ == other.ends_ && text_ == other.text_;
  }
  // In octets, with all that it owns.
  std::size_t memory() const noexcept;

 private:
  friend class ChainBuilder;
  std::string name_;
  std::string text_;                 // Rules without separators.
  std::vector<std::uint32_t> ends_;  // Where each rule ends in `text_`.
  std::vector<OwnerId> owners_;      // For each rule, unless `owner_` is everyone's.
  OwnerId owner_ = NoOwner;
  std::uint64_t hash_ = 0;
};

using ChainPointer = std::shared_ptr<const Chain>;

class ChainBuilder {
 public:
  // `owner` is whose the whole chain is; NoOwner when its rules have owners of their own.
  explicit ChainBuilder(std::string name, OwnerId owner = NoOwner);
  void add(std::string_view rule) { add(rule, chain_.owner_); }
  void add(std::string_view rule, OwnerId owner);
  std::size_t size() const noexcept { return chain_.ends_.size(); }
  // Ends the use of the builder.
  ChainPointer finish();

 private:
  Chain chain_;
};

// A rule in a chain that is not ours: how the kernel's hooks lead to our chains.
struct Jump {
  Table table = Table::Filter;
  std::string hook;  // "INPUT", "PREROUTING"…
  std::string rule;

  friend bool operator==(const Jump&, const Jump&) = default;
};

// Which chain, without its rules.
struct ChainKey {
  Table table = Table::Filter;
  std::string name;

  friend bool operator==(const ChainKey&, const ChainKey&) = default;
};

// Distinct objects may be used from distinct threads.  A copy shares the chains.
class RuleSet {
 public:
  // The chain, or nullptr.
  const ChainPointer& find(Table table, std::string_view name) const noexcept;
  // Adds the chain, or puts it in place of the one with its name.
  void put(Table table, ChainPointer chain);
  // False when there was none.
  bool erase(Table table, std::string_view name);

  // Calls `visit` for each chain, in no particular order.
  void for_each(Table table, const std::function<void(const ChainPointer&)>& visit) const;
  // The same, in the order of names.
  std::vector<ChainPointer> sorted(Table table) const;
  std::size_t chain_count(Table table) const noexcept;
  std::size_t rule_count(Table table) const noexcept;  // Without the jumps.
  // Octets of all chains.
  std::size_t memory() const noexcept;

  // In the order in which they stand in each hook, ahead of everybody else's rules.
  const std::vector<Jump>& jumps() const noexcept { return jumps_; }
  void set_jumps(std::vector<Jump> jumps) { jumps_ = std::move(jumps); }

 private:
  struct Room {
    // Keys are the names of the chains they lead to.
    std::unordered_map<std::string_view, ChainPointer> chains;
    std::size_t rules = 0;
  };
  Room rooms_[TableCount];
  std::vector<Jump> jumps_;
};

// The whole set as input of iptables-restore --noflush: every chain of ours is emptied and filled.
// Jumps are given as -A lines, for reading rather than for applying them twice.
std::string to_text(const RuleSet& rules);

}  // namespace waypost::proxy
