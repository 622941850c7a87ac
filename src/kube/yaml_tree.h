// YAML documents as trees of bounded size: the kube room's door to yaml-cpp.
//
// A tree is built from the parser's events, so that its depth, its size and what aliases expand
// to are bounded before they cost anything.  Plain scalars have the types that kubectl sees in
// them: YAML 1.1 words such as `on` and `no` are booleans there, not strings.
//
// Not here: the tree (kube/tree.h), what its fields mean (kube/field_reader.h).

#pragma once

#include "base/error.h"
#include "kube/tree.h"

#include <cstddef>
#include <memory>
#include <string_view>

namespace waypost::kube {

inline constexpr std::size_t MaxAliasedNodes = 100'000;  // In one document, when expanded.

// Reads the documents of one text in order.
class YamlStream {
 public:
  // `text` is copied.
  explicit YamlStream(std::string_view text);
  ~YamlStream();
  YamlStream(const YamlStream&) = delete;
  YamlStream& operator=(const YamlStream&) = delete;

  // Replaces `tree` by the next document.  Returns false when there is none left.  Fails for what
  // is not YAML and at a bound, with line and column; nothing can be read after a failure.
  Result<bool> next(Tree& tree);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The type of a scalar without quotes.
TreeType classify_plain_scalar(std::string_view text);

}  // namespace waypost::kube
