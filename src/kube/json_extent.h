// Where a JSON object or array ends, in a text that arrives in pieces.
//
// Only braces, brackets, quotes and backslashes are looked at, 64 octets at a time: whether the
// value is well formed, and which bracket closes which, is for whoever reads it.  Nothing is kept
// of the text.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace waypost::kube {

class JsonExtent {
 public:
  // The next octet scanned is the value's opening brace or bracket.
  void begin() noexcept { *this = JsonExtent(); }

  // Returns how many octets of `piece` belong to the value: all of them as long as it does not end
  // there.  Not to be called once is_complete().
  std::size_t scan(std::string_view piece) noexcept;

  // The value's last octet was scanned.
  bool is_complete() const noexcept { return is_complete_; }

  // How many objects and arrays stand in the value itself, not in one of those, and where the last
  // one of them began and ended, counted from the value's first octet.
  std::size_t child_count() const noexcept { return child_count_; }
  std::size_t child_begin() const noexcept { return child_begin_; }
  std::size_t child_end() const noexcept { return child_end_; }

 private:
  // Scans the first `size` octets of the 64 at `block`.
  std::size_t scan_block(const char* block, std::size_t size) noexcept;

  std::size_t octets_ = 0;  // Scanned before the block of now.
  std::size_t depth_ = 0;
  std::size_t child_count_ = 0;
  std::size_t child_begin_ = 0;
  std::size_t child_end_ = 0;
  std::uint64_t in_string_ = 0;   // All ones: the text so far ends inside a string.
  std::uint64_t is_escaped_ = 0;  // 1: the next octet is, by the backslash in front of it.
  bool is_complete_ = false;
};

}  // namespace waypost::kube
