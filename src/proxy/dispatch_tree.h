// A tree of chains that finds the rules for a packet's destination by prefix, instead of one by
// one.
//
// Rules are keyed by destination address, protocol and port, read as one string of bits.  A chain
// holds the rules of its part of the key space, or up to sixteen jumps that each take four bits
// more.  What the tree looks like depends on the set of its rules alone, not on the order in which
// they came: building it anew gives the same chains.
//
// A change re-renders the chains on its own way from the root, and others only where a branch
// appears or disappears above them.
//
// Not here: how the root is reached (proxy/compiler.cpp).

#pragma once

#include "base/ip_address.h"
#include "kube/objects.h"
#include "proxy/rule_set.h"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace waypost::proxy {

// Where a rule stands in a tree.
struct DispatchKey {
  IpAddress address;  // Unspecified in a tree by ports alone.
  kube::Protocol protocol = kube::Protocol::Tcp;
  std::uint16_t port = 0;

  friend auto operator<=>(const DispatchKey&, const DispatchKey&) = default;
};

// One rule, shared between the tree and the Service that it is for.
struct DispatchRule {
  DispatchKey key;
  std::string text;  // The whole rule, which matches nothing but its key.
  OwnerId owner = NoOwner;
};
using DispatchRulePointer = std::shared_ptr<const DispatchRule>;

// Not safe for concurrent use.
class DispatchTree {
 public:
  enum class KeyedBy : std::uint8_t { Ipv4, Ipv6, Port };

  // A chain with no more rules than this has no branches.  Passing a rule that does not match costs
  // 3 ns (legacy) to 8 ns (nft), a jump about four times that.
  static constexpr std::size_t MaxLeaf = 64;
  // Chains below the root, at most; the deepest is as long as it takes.  iptables-nft refuses more
  // than 15 chains on top of each other, 8 of which stand around a tree (proxy/service_rules.h).
  static constexpr unsigned MaxDepth = 7;

  // `prefix` is that of the branches' names ("KUBE-CIP-"); the root is named like it, without the
  // '-' at its end.
  DispatchTree(KeyedBy keyed_by, std::string prefix);
  ~DispatchTree();
  DispatchTree(DispatchTree&&) noexcept;
  DispatchTree& operator=(DispatchTree&&) noexcept;

  // Equal rules may be added several times and then have to be erased as often.
  void add(DispatchRulePointer rule);
  // `rule` has been added.
  void erase(const DispatchRulePointer& rule);

  bool empty() const noexcept { return size() == 0; }
  std::size_t size() const noexcept;
  std::string root_name() const { return prefix_.substr(0, prefix_.size() - 1); }

  // Tells of every chain that may be different since the last call: first the names that are gone,
  // then the chains that are there.  The root is among these as long as the tree is not empty.
  void render(const std::function<void(const std::string&)>& gone,
              const std::function<void(ChainPointer)>& made);

 private:
  struct Node;

  unsigned nibble(const DispatchKey& key, unsigned level) const noexcept;
  void add_to(Node& node, unsigned level, DispatchRulePointer rule);
  void erase_from(Node& node, unsigned level, const DispatchRulePointer& rule);
  void expand(Node& node, unsigned level);
  void collapse(Node& node);
  void render_chain(Node& node, unsigned level, unsigned depth, bool is_forced);
  void render_body(Node& node, unsigned level, unsigned depth, bool is_forced, bool is_flat,
                   ChainBuilder& chain);
  void forget_chains(Node& node);
  std::string match_text(const DispatchKey& key, unsigned level) const;
  std::string branch_name(const DispatchKey& key, unsigned level) const;

  KeyedBy keyed_by_;
  unsigned address_nibbles_;
  std::string prefix_;
  std::unique_ptr<Node> root_;
  std::vector<std::string> gone_;   // Names of chains since the last render().
  std::vector<ChainPointer> made_;  // While rendering.
};

}  // namespace waypost::proxy
