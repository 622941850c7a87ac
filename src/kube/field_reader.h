// Reads the fields of one Kubernetes object and remembers the first thing that is wrong with it.
//
// A decoder reads field after field without branches for errors: a field that cannot be used yields
// its default, and the object is thrown away at the end if anything was wrong.  Messages say where
// the field stands, what was found and what was expected.
//
// Not here: which fields there are (kube/object_decoders.h).

#pragma once

#include "kube/objects.h"
#include "kube/tree.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace waypost::kube {

// A place in an object, whether something stands there or not, and the way to it.  A child refers
// to its parent, which has to be a named variable that lives on.
class Field {
 public:
  explicit Field(TreeNode node) noexcept : node_(node) {}

  // The field `name` of this mapping; absent when this is none.
  Field at(std::string_view name) const& noexcept {
    return Field(node_.find(name), this, name, NoIndex);
  }
  Field at(std::string_view name) const&& = delete;
  // The element or the value `node`, which is number `index` in a sequence or has the key `name`.
  Field element(TreeNode node, std::size_t index) const& noexcept {
    return Field(node, this, {}, index);
  }
  Field value(TreeNode node, std::string_view name) const& noexcept {
    return Field(node, this, name, NoIndex);
  }

  const TreeNode& node() const noexcept { return node_; }
  // Neither absent nor null.
  bool is_present() const noexcept { return node_.is_present(); }

  // "spec.ports[0].port"; empty for the object itself.
  std::string path() const;
  // The line of the field, or of the nearest place around it.
  std::size_t line() const noexcept;

 private:
  static constexpr std::size_t NoIndex = static_cast<std::size_t>(-1);
  Field(TreeNode node, const Field* parent, std::string_view name, std::size_t index) noexcept
      : node_(node), parent_(parent), name_(name), index_(index) {}

  TreeNode node_;
  const Field* parent_ = nullptr;
  std::string_view name_;
  std::size_t index_ = NoIndex;
};

// What is wrong with an object: "spec.ports[0].port: 'abc' is not a port number 1..65535".
struct FieldProblem {
  std::size_t line = 0;
  std::string message;
};

// Texts are borrowed from the document.
class FieldReader {
 public:
  // Nothing, as long as every field could be used.
  const std::optional<FieldProblem>& problem() const noexcept { return problem_; }

  // Notes that `field` is not `expected`, or that it is missing.
  void refuse(const Field& field, std::string_view expected);
  // Notes `message` about `field`.
  void complain(const Field& field, std::string_view message);

  // The field when it is a mapping without repeated keys or absent; otherwise a problem and absent.
  Field mapping(Field field);

  // A string; empty when absent.
  std::string_view text(const Field& field);
  // A string that is absent or empty, or else passes `check`, whose rule is `expected`.
  std::string_view text(const Field& field, bool (*check)(std::string_view) noexcept,
                        std::string_view expected);
  // The same, but there has to be something.
  std::string_view required_text(const Field& field, bool (*check)(std::string_view) noexcept,
                                 std::string_view expected);

  bool boolean(const Field& field, bool otherwise);
  // 1..65535, or nothing when absent.
  std::optional<std::uint16_t> port(const Field& field);
  // TCP when absent.
  Protocol protocol(const Field& field);
  std::optional<IpAddress> address(const Field& field);
  // A mapping from string to string.
  Labels labels(Field field);

  // Calls `visit(element)` for each element of a sequence; none when absent.
  template <typename Visit>
  void each(const Field& field, Visit visit) {
    if (!is_sequence(field)) {
      return;
    }
    std::size_t index = 0;
    for (TreeNode at = field.node().first_child(); at.type() != TreeType::Absent;
         at = at.next_sibling()) {
      visit(field.element(at, index++));
    }
  }

 private:
  bool is_sequence(const Field& field);

  std::optional<FieldProblem> problem_;
};

// What stands at a place, for a message: "'abc'", "the number '80'", "a mapping".
std::string describe(const TreeNode& node);

}  // namespace waypost::kube
