#include "proxy/dispatch_tree.h"

#include "proxy/chain_name.h"

#include <algorithm>
#include <utility>

namespace waypost::proxy {
namespace {

constexpr unsigned ProtocolNibbles = 1;
constexpr unsigned PortNibbles = 4;
constexpr unsigned BitsPerNibble = 4;
// So few rules stand in the chain itself instead of behind a jump of their own.
constexpr std::size_t MaxInline = 2;

// By key, then by text: rules for the same destination have an order, too.
bool comes_before(const DispatchRulePointer& a, const DispatchRulePointer& b) noexcept {
  return a->key != b->key ? a->key < b->key : a->text < b->text;
}

unsigned address_nibbles_of(DispatchTree::KeyedBy keyed_by) noexcept {
  switch (keyed_by) {
    case DispatchTree::KeyedBy::Ipv4:
      return 8;
    case DispatchTree::KeyedBy::Ipv6:
      return 32;
    case DispatchTree::KeyedBy::Port:
      return 0;
  }
  return 0;
}

}  // namespace

struct DispatchTree::Node {
  bool is_leaf() const noexcept { return children == nullptr; }

  std::size_t count = 0;                   // Rules at and below it.
  std::vector<DispatchRulePointer> rules;  // Of a leaf, in order.
  std::unique_ptr<std::array<std::unique_ptr<Node>, 16>> children;
  std::string chain;   // The chain that it was rendered as; empty: part of one above.
  unsigned depth = 0;  // Of that chain.
  bool is_dirty = false;
};

DispatchTree::DispatchTree(KeyedBy keyed_by, std::string prefix)
    : keyed_by_(keyed_by),
      address_nibbles_(address_nibbles_of(keyed_by)),
      prefix_(std::move(prefix)),
      root_(std::make_unique<Node>()) {}

DispatchTree::~DispatchTree() = default;
DispatchTree::DispatchTree(DispatchTree&&) noexcept = default;
DispatchTree& DispatchTree::operator=(DispatchTree&&) noexcept = default;

std::size_t DispatchTree::size() const noexcept {
  return root_->count;
}

unsigned DispatchTree::nibble(const DispatchKey& key, unsigned level) const noexcept {
  if (level < address_nibbles_) {
    const std::uint8_t octet = key.address.octets()[level / 2];
    return level % 2 == 0 ? octet >> 4 : octet & 15U;
  }
  level -= address_nibbles_;
  if (level == 0) {
    return static_cast<unsigned>(key.protocol);
  }
  return (unsigned{key.port} >> (BitsPerNibble * (PortNibbles - level))) & 15U;
}

// ---- Adding and erasing -----------------------------------------------------------------------

void DispatchTree::add(DispatchRulePointer rule) {
  add_to(*root_, 0, std::move(rule));
}

void DispatchTree::erase(const DispatchRulePointer& rule) {
  erase_from(*root_, 0, rule);
}

void DispatchTree::add_to(Node& node, unsigned level, DispatchRulePointer rule) {
  node.is_dirty = true;
  ++node.count;
  if (!node.is_leaf()) {
    std::unique_ptr<Node>& child = (*node.children)[nibble(rule->key, level)];
    if (child == nullptr) {
      child = std::make_unique<Node>();
    }
    add_to(*child, level + 1, std::move(rule));
    return;
  }
  node.rules.insert(std::upper_bound(node.rules.begin(), node.rules.end(), rule, comes_before),
                    std::move(rule));
  if (node.count > MaxLeaf) {
    expand(node, level);
  }
}

void DispatchTree::expand(Node& node, unsigned level) {
  // At the end of the key there is nothing left to tell rules apart by.
  if (level == address_nibbles_ + ProtocolNibbles + PortNibbles) {
    return;
  }
  node.children = std::make_unique<std::array<std::unique_ptr<Node>, 16>>();
  for (DispatchRulePointer& rule : std::exchange(node.rules, {})) {
    std::unique_ptr<Node>& child = (*node.children)[nibble(rule->key, level)];
    if (child == nullptr) {
      child = std::make_unique<Node>();
    }
    add_to(*child, level + 1, std::move(rule));
  }
}

void DispatchTree::erase_from(Node& node, unsigned level, const DispatchRulePointer& rule) {
  node.is_dirty = true;
  --node.count;
  if (node.is_leaf()) {
    const auto [begin, end] =
        std::equal_range(node.rules.begin(), node.rules.end(), rule, comes_before);
    const auto at = std::find_if(begin, end, [&](const DispatchRulePointer& candidate) {
      return candidate->owner == rule->owner;
    });
    node.rules.erase(at);
    return;
  }
  std::unique_ptr<Node>& child = (*node.children)[nibble(rule->key, level)];
  erase_from(*child, level + 1, rule);
  if (child->count == 0) {
    forget_chains(*child);
    child.reset();
  }
  if (node.count <= MaxLeaf) {
    collapse(node);
  }
}

void DispatchTree::collapse(Node& node) {
  for (std::unique_ptr<Node>& child : *node.children) {
    if (child != nullptr) {
      if (!child->is_leaf()) {
        collapse(*child);
      }
      forget_chains(*child);
      // Children are in the order of keys, hence so is the whole.
      node.rules.insert(node.rules.end(), child->rules.begin(), child->rules.end());
    }
  }
  node.children.reset();
}

void DispatchTree::forget_chains(Node& node) {
  if (!node.chain.empty()) {
    gone_.push_back(std::exchange(node.chain, {}));
  }
  if (!node.is_leaf()) {
    for (std::unique_ptr<Node>& child : *node.children) {
      if (child != nullptr) {
        forget_chains(*child);
      }
    }
  }
}

// ---- Rendering --------------------------------------------------------------------------------

void DispatchTree::render(const std::function<void(const std::string&)>& gone,
                          const std::function<void(ChainPointer)>& made) {
  if (root_->count == 0) {
    forget_chains(*root_);
    root_->is_dirty = false;
  } else if (root_->is_dirty) {
    if (root_->chain.empty()) {
      root_->chain = root_name();
    }
    render_chain(*root_, 0, 0, false);
  }
  for (const std::string& name : std::exchange(gone_, {})) {
    gone(name);
  }
  for (ChainPointer& chain : std::exchange(made_, {})) {
    made(std::move(chain));
  }
}

// `is_forced`: whatever is below is rendered, too, although it did not change.
void DispatchTree::render_chain(Node& node, unsigned level, unsigned depth, bool is_forced) {
  node.depth = depth;
  ChainBuilder chain(node.chain);
  render_body(node, level, depth, is_forced, depth >= MaxDepth, chain);
  made_.push_back(chain.finish());
}

void DispatchTree::render_body(Node& node, unsigned level, unsigned depth, bool is_forced,
                               bool is_flat, ChainBuilder& chain) {
  node.is_dirty = false;
  if (node.is_leaf()) {
    std::string_view previous;
    for (const DispatchRulePointer& rule : node.rules) {
      if (rule->text != previous) {  // Once, however often it was added.
        chain.add(rule->text, rule->owner);
      }
      previous = rule->text;
    }
    return;
  }
  const auto child_count = std::count_if(node.children->begin(), node.children->end(),
                                         [](const auto& child) { return child != nullptr; });
  for (std::unique_ptr<Node>& child : *node.children) {
    if (child == nullptr) {
      continue;
    }
    // An only child needs no branch: its own children are branched to at once.
    if (is_flat || child_count == 1 || child->count <= MaxInline) {
      if (!child->chain.empty()) {
        gone_.push_back(std::exchange(child->chain, {}));
      }
      render_body(*child, level + 1, depth, is_forced, is_flat, chain);
      continue;
    }
    const Node* first = child.get();
    while (!first->is_leaf()) {
      first = std::find_if(first->children->begin(), first->children->end(), [](const auto& next) {
                return next != nullptr;
              })->get();
    }
    const DispatchKey& key = first->rules.front()->key;
    const bool is_new = child->chain.empty();
    if (is_new) {
      child->chain = branch_name(key, level + 1);
    }
    chain.add(match_text(key, level + 1) + " -j " + child->chain);
    const bool is_moved = is_new || child->depth != depth + 1;
    if (is_forced || is_moved || child->is_dirty) {
      render_chain(*child, level + 1, depth + 1, is_forced || is_moved);
    }
  }
}

// What packets with the first `level` nibbles of `key` have in common.
std::string DispatchTree::match_text(const DispatchKey& key, unsigned level) const {
  const std::string protocol(kube::to_text(key.protocol));
  std::string text;
  if (address_nibbles_ > 0) {
    const unsigned bits = BitsPerNibble * std::min(level, address_nibbles_);
    text = "-d " + IpPrefix::around(key.address, bits).to_text();
  }
  if (level > address_nibbles_) {
    text += (text.empty() ? "-p " : " -p ") + protocol;
  }
  if (level > address_nibbles_ + ProtocolNibbles) {
    const unsigned free_bits =
        BitsPerNibble * (address_nibbles_ + ProtocolNibbles + PortNibbles - level);
    const unsigned low = (unsigned{key.port} >> free_bits) << free_bits;
    const unsigned high = low + (1U << free_bits) - 1;
    text += " -m " + protocol + " --dport " + std::to_string(low);
    text += low == high ? "" : ":" + std::to_string(high);
  }
  return text;
}

std::string DispatchTree::branch_name(const DispatchKey& key, unsigned level) const {
  if (keyed_by_ == KeyedBy::Ipv4 && level <= address_nibbles_) {
    const IpPrefix prefix = IpPrefix::around(key.address, BitsPerNibble * level);
    return prefix_ + prefix.base().to_text() + "_" + std::to_string(prefix.length());
  }
  return hashed_name(prefix_, match_text(key, level));
}

}  // namespace waypost::proxy
