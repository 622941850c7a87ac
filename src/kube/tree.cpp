#include "kube/tree.h"

#include <algorithm>
#include <cstring>

namespace waypost::kube {

std::size_t TreeNode::line() const noexcept {
  return tree_ == nullptr ? 0 : tree_->nodes_[index_].line;
}

TreeNode TreeNode::find(std::string_view key) const noexcept {
  if (type() != TreeType::Mapping) {
    return {};
  }
  const Tree::Node* const nodes = tree_->nodes_.data();
  const char* const text = tree_->text_.data();
  for (std::uint32_t at = nodes[index_].begin; at != 0;) {
    const Tree::Node& name = nodes[at];
    const std::uint32_t value = name.next_sibling;
    if (name.size == key.size() && name.type < TreeType::Sequence &&
        std::memcmp(text + name.begin, key.data(), key.size()) == 0) {
      return tree_->at(value);
    }
    at = nodes[value].next_sibling;
  }
  return {};
}

std::size_t TreeNode::count_elements() const noexcept {
  std::size_t count = 0;
  if (type() == TreeType::Sequence) {
    for (std::uint32_t at = tree_->nodes_[index_].begin; at != 0; ++count) {
      at = tree_->nodes_[at].next_sibling;
    }
  }
  return count;
}

TreeNode TreeNode::repeated_key() const {
  if (type() != TreeType::Mapping || !tree_->nodes_[index_].has_repeated_key) {
    return {};
  }
  std::vector<TreeNode> keys;
  for (TreeNode at = first_child(); at.type() != TreeType::Absent;
       at = at.next_sibling().next_sibling()) {
    keys.push_back(at);
  }
  std::sort(keys.begin(), keys.end(), [](const TreeNode& left, const TreeNode& right) {
    const int order = left.text().compare(right.text());
    return order != 0 ? order < 0 : left.index_ < right.index_;
  });
  const auto twin = std::adjacent_find(
      keys.begin(), keys.end(),
      [](const TreeNode& left, const TreeNode& right) { return left.text() == right.text(); });
  return twin == keys.end() ? TreeNode() : *(twin + 1);
}

void TreeBuilder::begin(Tree& tree) {
  tree.nodes_.clear();
  tree.text_.clear();
  tree_ = &tree;
  open_.clear();
}

TreeNode TreeBuilder::add_scalar(TreeType type, std::size_t line, std::string_view text) {
  const std::size_t begin = tree_->text_.size();
  tree_->text_ += text;
  return add_scalar(type, line, begin, text.size());
}

TreeNode TreeBuilder::add_copy(TreeNode node, std::size_t line) {
  const Tree::Node original = tree_->nodes_[node.index_];
  const TreeNode copy =
      append(original.type, line == 0 ? original.line : line, original.begin, original.size);
  tree_->nodes_[copy.index_].has_repeated_key = original.has_repeated_key;
  return copy;
}

void TreeBuilder::remove_pair(TreeNode before, TreeNode value) {
  Open& parent = open_.back();
  const std::uint32_t after = tree_->nodes_[value.index_].next_sibling;
  if (before.type() == TreeType::Absent) {
    tree_->nodes_[parent.node].begin = after;
  } else {
    tree_->nodes_[before.index_].next_sibling = after;
  }
  if (after == 0) {
    parent.last_child = before.index_;
  }
}

// Equal keys have the same mark, so that a mark that is new makes a key one that is new: then, as
// nearly always, no two keys are compared.
std::uint64_t TreeBuilder::mark_of(std::string_view key) noexcept {
  constexpr std::uint64_t Odd = 0x9e3779b97f4a7c15;
  constexpr unsigned TopSix = 58;
  if (key.empty()) {
    return 1;
  }
  const auto octet = [&](std::size_t at) {
    return std::uint64_t{static_cast<unsigned char>(key[at])};
  };
  const std::uint64_t mixed = (key.size() << 24U) ^ (octet(0) << 16U) ^
                              (octet(key.size() / 2) << 8U) ^ octet(key.size() - 1);
  return std::uint64_t{1} << ((mixed * Odd) >> TopSix);
}

void TreeBuilder::note_repeated_key() {
  const TreeNode mapping = innermost();
  std::uint64_t marks = 0;
  bool may_repeat = false;
  for (TreeNode key = mapping.first_child(); key.type() != TreeType::Absent;
       key = key.next_sibling().next_sibling()) {
    const std::uint64_t mark = mark_of(key.text());
    may_repeat = may_repeat || (marks & mark) != 0;
    marks |= mark;
  }
  tree_->nodes_[mapping.index_].has_repeated_key = may_repeat && has_repeated_key(mapping);
}

bool TreeBuilder::has_repeated_key(TreeNode mapping) {
  constexpr std::size_t FewKeys = 16;  // So few are compared with each other sooner than sorted.
  keys_.clear();
  for (TreeNode key = mapping.first_child(); key.type() != TreeType::Absent;
       key = key.next_sibling().next_sibling()) {
    keys_.push_back(key.text());
  }
  if (keys_.size() > FewKeys) {
    std::sort(keys_.begin(), keys_.end());
    return std::adjacent_find(keys_.begin(), keys_.end()) != keys_.end();
  }
  for (auto at = keys_.begin(); at != keys_.end(); ++at) {
    if (std::find(keys_.begin(), at, *at) != at) {
      return true;
    }
  }
  return false;
}

TreeNode TreeBuilder::close() {
  const TreeNode closed = innermost();
  open_.pop_back();
  return closed;
}

}  // namespace waypost::kube
