// A document that is changed: values that can be set, and their text in YAML.
//
// What a Tree knows is kept: order, types, texts.  Comments, anchors and the way scalars were
// written are not in it.
//
// Not here: reading YAML (kube/yaml_tree.h).

#pragma once

#include "kube/tree.h"

#include <string>
#include <string_view>
#include <vector>

namespace waypost::node {

struct Value {
  kube::TreeType type = kube::TreeType::Null;
  std::string text;             // Of a scalar.
  std::vector<Value> children;  // Of a sequence its elements, of a mapping keys and values in turn.
  kube::TreeNode source;        // What it was read from; absent for what was made.

  // REQUIRES: `node` is not absent.
  static Value from_tree(const kube::TreeNode& node);
  static Value string(std::string_view text);
  static Value sequence() { return {kube::TreeType::Sequence, {}, {}, {}}; }
  static Value mapping() { return {kube::TreeType::Mapping, {}, {}, {}}; }

  // The value of `key` in this mapping; null when there is none or this is no mapping.
  Value* find(std::string_view key) noexcept;
  // Puts `value` in the place of the one of `key`, or behind the last.  REQUIRES: a mapping.
  void set(std::string_view key, Value value);
};

// The value in block style, as kubectl writes it, with a line end.  It reads as the same tree
// again.
std::string to_yaml(const Value& value);

}  // namespace waypost::node
