// One document as a tree: what object decoders read, whatever the text was written in.
//
// A tree is nodes in document order plus the text of its scalars, in two buffers that are used
// again by the next document.  Texts become trees behind two doors, kube/yaml_tree.h and
// kube/json_tree.h, which see to the bounds stated here.
//
// Not here: what the fields mean (kube/field_reader.h, kube/object_decoders.h).

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::kube {

inline constexpr std::size_t MaxTreeDepth = 64;
inline constexpr std::size_t MaxTreeNodes = std::size_t{8} << 20;  // In one tree, 24 octets each.

enum class TreeType : std::uint8_t { Absent, Null, Boolean, Number, String, Sequence, Mapping };

class Tree;

// A place in a tree.  Cheap to copy; valid as long as the tree is unchanged.
class TreeNode {
 public:
  TreeNode() noexcept = default;  // Absent.

  TreeType type() const noexcept;
  // Neither absent nor null: the API treats the two alike.
  bool is_present() const noexcept;
  // A scalar as it reads, without its quotes; empty for others.
  std::string_view text() const noexcept;
  // Counted from 1; 0 when absent, and when the text has no lines worth naming.
  std::size_t line() const noexcept;

  // A mapping's value for `key`, absent when there is none or this is no mapping.  Linear in its
  // size.
  TreeNode find(std::string_view key) const noexcept;
  // The elements of a sequence in order, or a mapping's keys and values in turn.
  TreeNode first_child() const noexcept;
  TreeNode next_sibling() const noexcept;
  // How many elements a sequence has; 0 for others.
  std::size_t count_elements() const noexcept;
  // A key that this mapping has twice, absent when there is none.
  TreeNode repeated_key() const;

 private:
  friend class Tree;
  friend class TreeBuilder;
  TreeNode(const Tree* tree, std::uint32_t index) noexcept : tree_(tree), index_(index) {}

  const Tree* tree_ = nullptr;
  std::uint32_t index_ = 0;
};

class Tree {
 public:
  TreeNode root() const noexcept { return nodes_.empty() ? TreeNode() : TreeNode(this, 0); }

 private:
  friend class TreeNode;
  friend class TreeBuilder;

  struct Node {
    std::uint32_t begin = 0;  // Of a scalar's text in text_; else the first child's index or 0.
    std::uint32_t size = 0;   // Of the text.
    std::uint32_t next_sibling = 0;  // 0: this is the last one.
    std::uint32_t line = 0;
    TreeType type = TreeType::Null;
    bool has_repeated_key = false;
  };

  TreeNode at(std::uint32_t index) const noexcept {
    return index == 0 ? TreeNode() : TreeNode(this, index);
  }

  std::vector<Node> nodes_;  // The root is the first, and nobody's child.
  std::string text_;
};

// Fills a tree in document order: what is added becomes the next child of the innermost container
// that is open, and the first thing added is the root.  Whoever builds checks depth() and size()
// against the bounds before adding.  All of it is for one tree at a time, between two begin()s.
class TreeBuilder {
 public:
  // Empties `tree`, which has to stay until the last addition.
  void begin(Tree& tree);

  std::size_t depth() const noexcept { return open_.size(); }
  std::size_t size() const noexcept { return tree_->nodes_.size(); }
  // Where scalars' texts stand.  Octets may be added; those that a scalar uses must stay.
  std::string& text() noexcept { return tree_->text_; }

  // `text` is copied.
  TreeNode add_scalar(TreeType type, std::size_t line, std::string_view text);
  // The scalar's text is text()[begin, begin + size).
  TreeNode add_scalar(TreeType type, std::size_t line, std::size_t begin, std::size_t size);
  TreeNode open(TreeType type, std::size_t line);
  // Adds a node like `node`, which shares its text or its children, at another line; 0: the same.
  TreeNode add_copy(TreeNode node, std::size_t line);

  // The innermost open container.
  TreeNode innermost() const noexcept { return TreeNode(tree_, open_.back().node); }
  // Takes the pair whose value is `value` out of the innermost mapping; `before` is the value
  // of the pair in front of it, or absent.
  void remove_pair(TreeNode before, TreeNode value);
  // Looks for a key that the innermost mapping has twice, see TreeNode::repeated_key().
  void note_repeated_key();
  // Ends the innermost container.
  TreeNode close();

 private:
  struct Open {
    std::uint32_t node;
    std::uint32_t last_child;  // 0: none so far.
  };

  // `begin` and `size` as in a Node.
  TreeNode append(TreeType type, std::size_t line, std::size_t begin, std::size_t size);
  static std::uint64_t mark_of(std::string_view key) noexcept;
  bool has_repeated_key(TreeNode mapping);

  Tree* tree_ = nullptr;
  std::vector<Open> open_;
  std::vector<std::string_view> keys_;
};

// What every value of every object goes through.

inline TreeType TreeNode::type() const noexcept {
  return tree_ == nullptr ? TreeType::Absent : tree_->nodes_[index_].type;
}

inline bool TreeNode::is_present() const noexcept {
  return type() != TreeType::Absent && type() != TreeType::Null;
}

inline std::string_view TreeNode::text() const noexcept {
  const TreeType own = type();
  if (own == TreeType::Absent || own == TreeType::Sequence || own == TreeType::Mapping) {
    return {};
  }
  const auto& node = tree_->nodes_[index_];
  return std::string_view(tree_->text_).substr(node.begin, node.size);
}

inline TreeNode TreeNode::first_child() const noexcept {
  const TreeType own = type();
  return own == TreeType::Sequence || own == TreeType::Mapping
             ? tree_->at(tree_->nodes_[index_].begin)
             : TreeNode();
}

inline TreeNode TreeNode::next_sibling() const noexcept {
  return tree_ == nullptr ? TreeNode() : tree_->at(tree_->nodes_[index_].next_sibling);
}

inline TreeNode TreeBuilder::append(TreeType type, std::size_t line, std::size_t begin,
                                    std::size_t size) {
  const auto index = static_cast<std::uint32_t>(tree_->nodes_.size());
  Tree::Node& node = tree_->nodes_.emplace_back();
  node.begin = static_cast<std::uint32_t>(begin);
  node.size = static_cast<std::uint32_t>(size);
  node.line = static_cast<std::uint32_t>(line);
  node.type = type;
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

inline TreeNode TreeBuilder::add_scalar(TreeType type, std::size_t line, std::size_t begin,
                                        std::size_t size) {
  return append(type, line, begin, size);
}

inline TreeNode TreeBuilder::open(TreeType type, std::size_t line) {
  const TreeNode opened = append(type, line, 0, 0);
  open_.push_back({opened.index_, 0});
  return opened;
}

}  // namespace waypost::kube
