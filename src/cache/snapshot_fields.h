// The alphabet of a snapshot: numbers, texts, addresses, lists, and groups of them that may grow.
//
// docs/snapshot-format.md is the grammar.  Writing appends to a string; reading walks over borrowed
// octets and keeps the first thing that is wrong, so that a reader of a whole object has no branch
// for each field.
//
// Not here: which fields an object has (cache/snapshot_objects.h), records (cache/snapshot.h).

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace waypost::cache {

class GroupWriter {
 public:
  // Appends to `out`, which is borrowed.
  explicit GroupWriter(std::string& out) noexcept : out_(out) {}

  void octet(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void number(std::uint64_t value);
  void text(std::string_view value);
  void address(const IpAddress& value);

  // Writes what `fields()` writes as one group.
  template <typename Fields>
  void group(Fields fields) {
    const std::size_t start = out_.size();
    out_.push_back('\0');
    fields();
    close_group(start);
  }

  template <typename Elements, typename WriteElement>
  void list(const Elements& elements, WriteElement write) {
    number(elements.size());
    for (const auto& element : elements) {
      write(element);
    }
  }

 private:
  void close_group(std::size_t start);

  std::string& out_;
};

// Reads a group from its first octet to its last.  A field that is missing because the group ends
// before it has its default: 0, or empty.  After the first problem all fields are like that.
class GroupReader {
 public:
  explicit GroupReader(Bytes group) noexcept : rest_(group) {}

  std::uint8_t octet() noexcept;
  std::uint64_t number() noexcept;
  // A number that fits 16 bits; a larger one is a problem.
  std::uint16_t port() noexcept;
  // Borrowed from the group.
  std::string_view text() noexcept;
  IpAddress address() noexcept;
  // Calls `read_fields(GroupReader&)` on the group that is the next field; what is wrong there is
  // wrong here.
  template <typename ReadFields>
  void group(ReadFields read_fields) {
    GroupReader inner(as_bytes(text()));
    inner.problem_ = problem_;
    read_fields(inner);
    require(!inner.has_problem(), inner.problem_);
  }

  // Calls `read_element()`, which adds one to `elements`, as often as the list says.  An element
  // takes one octet at least, so that a count cannot promise more than is there.
  template <typename Elements, typename ReadElement>
  void list(Elements& elements, ReadElement read_element) {
    const std::uint64_t size = count();
    // Exact for what the API admits, and no more memory than that for what somebody made up.
    elements.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(size, 1000)));
    elements_of(size, read_element);
  }
  // The same for elements that are kept elsewhere.
  template <typename ReadElement>
  void list(ReadElement read_element) {
    elements_of(count(), read_element);
  }

  // `holds`, or the problem `what`, a literal.
  void require(bool holds, const char* what) noexcept {
    if (!holds) {
      refuse(what);
    }
  }

  // Octets that are not read yet.
  std::size_t left() const noexcept { return rest_.size(); }

  bool has_problem() const noexcept { return problem_ != nullptr; }
  // What is wrong first; empty when nothing is.
  std::string_view problem() const noexcept { return problem_ == nullptr ? "" : problem_; }

 private:
  template <typename ReadElement>
  void elements_of(std::uint64_t left, ReadElement read_element) {
    for (; left > 0 && !has_problem(); --left) {
      if (rest_.empty()) {
        refuse("a list ends before its last element");
        return;
      }
      read_element();
    }
  }

  std::uint64_t count() noexcept;
  Bytes take(std::uint64_t size) noexcept;
  void refuse(const char* what) noexcept;

  Bytes rest_;
  const char* problem_ = nullptr;
};

}  // namespace waypost::cache
