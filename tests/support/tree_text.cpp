#include "support/tree_text.h"

namespace waypost::test {

using kube::TreeNode;
using kube::TreeType;

std::string show(const TreeNode& node) {
  std::string text;
  switch (node.type()) {
    case TreeType::Absent:
      return "absent";
    case TreeType::Null:
    case TreeType::Boolean:
    case TreeType::Number:
      return std::string(node.text());
    case TreeType::String:
      return "'" + std::string(node.text()) + "'";
    case TreeType::Sequence:
      for (TreeNode at = node.first_child(); at.type() != TreeType::Absent;
           at = at.next_sibling()) {
        text += (text.empty() ? "" : ", ") + show(at);
      }
      return "[" + text + "]";
    case TreeType::Mapping:
      for (TreeNode at = node.first_child(); at.type() != TreeType::Absent;
           at = at.next_sibling().next_sibling()) {
        text +=
            (text.empty() ? "" : ", ") + std::string(at.text()) + ": " + show(at.next_sibling());
      }
      return "{" + text + "}";
  }
  return text;
}

}  // namespace waypost::test
