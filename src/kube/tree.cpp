#include "kube/tree.h"

#include <algorithm>

namespace waypost::kube {

TreeType TreeNode::type() const noexcept {
  return tree_ == nullptr ? TreeType::Absent : tree_->nodes_[index_].type;
}

bool TreeNode::is_present() const noexcept {
  return type() != TreeType::Absent && type() != TreeType::Null;
}

std::string_view TreeNode::text() const noexcept {
  const TreeType own = type();
  if (own == TreeType::Absent || own == TreeType::Sequence || own == TreeType::Mapping) {
    return {};
  }
  const auto& node = tree_->nodes_[index_];
  return std::string_view(tree_->text_).substr(node.begin, node.size);
}

std::size_t TreeNode::line() const noexcept {
  return tree_ == nullptr ? 0 : tree_->nodes_[index_].line;
}

TreeNode TreeNode::first_child() const noexcept {
  const TreeType own = type();
  return own == TreeType::Sequence || own == TreeType::Mapping
             ? tree_->at(tree_->nodes_[index_].begin)
             : TreeNode();
}

TreeNode TreeNode::next_sibling() const noexcept {
  return tree_ == nullptr ? TreeNode() : tree_->at(tree_->nodes_[index_].next_sibling);
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

TreeNode TreeBuilder::append(Tree::Node node) {
  const auto index = static_cast<std::uint32_t>(tree_->nodes_.size());
  tree_->nodes_.push_back(node);
  if (!open_.empty()) {
    Open& parent = open_.back();
    if (parent.last_child == 0) {
      tree_->nodes_[parent.node].begin = index;
    } else {
      tree_->nodes_[parent.last_child].next_sibling = index;
    }
    parent.last_child = index;
  }
  return TreeNode(tree_, index);
}

TreeNode TreeBuilder::add_scalar(TreeType type, std::size_t line, std::string_view text) {
  const std::size_t begin = tree_->text_.size();
  tree_->text_ += text;
  return add_scalar(type, line, begin, text.size());
}

TreeNode TreeBuilder::add_scalar(TreeType type, std::size_t line, std::size_t begin,
                                 std::size_t size) {
  Tree::Node node;
  node.begin = static_cast<std::uint32_t>(begin);
  node.size = static_cast<std::uint32_t>(size);
  node.line = static_cast<std::uint32_t>(line);
  node.type = type;
  return append(node);
}

TreeNode TreeBuilder::open(TreeType type, std::size_t line) {
  Tree::Node node;
  node.line = static_cast<std::uint32_t>(line);
  node.type = type;
  const TreeNode opened = append(node);
  open_.push_back({opened.index_, 0});
  return opened;
}

TreeNode TreeBuilder::add_copy(TreeNode node, std::size_t line) {
  Tree::Node copy = tree_->nodes_[node.index_];
  copy.next_sibling = 0;
  if (line != 0) {
    copy.line = static_cast<std::uint32_t>(line);
  }
  return append(copy);
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
