#include "kube/tree.h"

#include <algorithm>

namespace waypost::kube {

std::size_t TreeNode::line() const noexcept {
  return tree_ == nullptr ? 0 : tree_->nodes_[index_].line;
}

TreeNode TreeNode::find(std::string_view key) const noexcept {
  if (type() != TreeType::Mapping) {
    return {};
  }
  for (TreeNode at = first_child(); at.type() != TreeType::Absent;) {
    const TreeNode value = at.next_sibling();
    if (at.text() == key) {
      return value;
    }
    at = value.next_sibling();
  }
  return {};
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

void TreeBuilder::note_repeated_key() {
  constexpr std::size_t FewKeys = 16;  // So few are compared with each other sooner than sorted.
  keys_.clear();
  const TreeNode mapping = innermost();
  for (TreeNode key = mapping.first_child(); key.type() != TreeType::Absent;
       key = key.next_sibling().next_sibling()) {
    keys_.push_back(key.text());
  }
  bool is_repeated = false;
  if (keys_.size() <= FewKeys) {
    for (auto at = keys_.begin(); at != keys_.end(); ++at) {
      is_repeated = is_repeated || std::find(keys_.begin(), at, *at) != at;
    }
  } else {
    std::sort(keys_.begin(), keys_.end());
    is_repeated = std::adjacent_find(keys_.begin(), keys_.end()) != keys_.end();
  }
  tree_->nodes_[mapping.index_].has_repeated_key = is_repeated;
}

TreeNode TreeBuilder::close() {
  const TreeNode closed = innermost();
  open_.pop_back();
  return closed;
}

}  // namespace waypost::kube
