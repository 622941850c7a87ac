// One YAML document as a tree of bounded size: the kube room's door to yaml-cpp.
//
// The tree is built from the parser's events, so that its depth, its size and what aliases expand
// to are bounded before they cost anything.  Plain scalars have the types that kubectl sees in
// them: YAML 1.1 words such as `on` and `no` are booleans there, not strings.
//
// Not here: what the fields mean (kube/field_reader.h, kube/yaml_decoder.h).

#pragma once

#include "base/error.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::kube {

inline constexpr std::size_t MaxYamlDepth = 64;
inline constexpr std::size_t MaxYamlNodes = std::size_t{8}
                                            << 20;       // In one document, 20 octets each.
inline constexpr std::size_t MaxAliasedNodes = 100'000;  // In one document, when expanded.

enum class YamlType : std::uint8_t { Absent, Null, Boolean, Number, String, Sequence, Mapping };

class YamlDocument;

// A place in a document.  Cheap to copy; valid as long as the document is unchanged.
class YamlNode {
 public:
  YamlNode() noexcept = default;  // Absent.

  YamlType type() const noexcept;
  // Neither absent nor null: the API treats the two alike.
  bool is_present() const noexcept;
  // A scalar as it reads, without its quotes; empty for others.
  std::string_view text() const noexcept;
  // Counted from 1; 0 when absent.
  std::size_t line() const noexcept;

  // A mapping's value for `key`, absent when there is none or this is no mapping.  Linear in its
  // size.
  YamlNode find(std::string_view key) const noexcept;
  // The elements of a sequence in order, or a mapping's keys and values in turn.
  YamlNode first_child() const noexcept;
  YamlNode next_sibling() const noexcept;
  // A key that this mapping has twice, absent when there is none.
  YamlNode repeated_key() const;

 private:
  friend class YamlDocument;
  friend class YamlBuilder;
  YamlNode(const YamlDocument* document, std::uint32_t index) noexcept
      : document_(document), index_(index) {}

  const YamlDocument* document_ = nullptr;
  std::uint32_t index_ = 0;
};

class YamlDocument {
 public:
  YamlNode root() const noexcept { return nodes_.empty() ? YamlNode() : YamlNode(this, 0); }

 private:
  friend class YamlNode;
  friend class YamlBuilder;

  struct Node {
    std::uint32_t begin = 0;  // Of a scalar's text in text_; else the first child's index or 0.
    std::uint32_t size = 0;   // Of the text.
    std::uint32_t next_sibling = 0;  // 0: this is the last one.
    std::uint32_t line = 0;
    YamlType type = YamlType::Null;
    bool has_repeated_key = false;
  };

  YamlNode at(std::uint32_t index) const noexcept {
    return index == 0 ? YamlNode() : YamlNode(this, index);
  }

  std::vector<Node> nodes_;  // The root is the first, and nobody's child.
  std::string text_;
};

// Reads the documents of one text in order.
class YamlStream {
 public:
  // `text` is copied.
  explicit YamlStream(std::string_view text);
  ~YamlStream();
  YamlStream(const YamlStream&) = delete;
  YamlStream& operator=(const YamlStream&) = delete;

  // Replaces `document` by the next one.  Returns false when there is none left.  Fails for what is
  // not YAML and at a bound, with line and column; nothing can be read after a failure.
  Result<bool> next(YamlDocument& document);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The type of a scalar without quotes.
YamlType classify_plain_scalar(std::string_view text);

}  // namespace waypost::kube
