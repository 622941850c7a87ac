// A rule's text as words.
//
// Rules are written in one line each, as people know them from CoreDNS: words separated by blanks,
// with quotes around what has blanks of its own.

#pragma once

#include "base/error.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::policy {

// The longest rule, in octets, and the most rules in a list: every query may look at each of them.
inline constexpr std::size_t MaxRuleSize = 4096;
inline constexpr std::size_t MaxRules = 1000;

// Splits `text` at blanks.  A word in "double" or 'single' quotes may hold blanks; "\"" and "\\"
// are a quote and a backslash within double quotes, any other backslash is itself.  Fails for a
// quote that does not end, and for MaxRuleSize.
Result<std::vector<std::string>> words_of(std::string_view text);

// Takes words one after the other.
class WordReader {
 public:
  // Borrowed.
  explicit WordReader(const std::vector<std::string>& words) noexcept : words_(words) {}

  bool at_end() const noexcept { return at_ == words_.size(); }
  // Empty at the end.
  std::string_view peek() const noexcept {
    return at_end() ? std::string_view() : std::string_view(words_[at_]);
  }
  std::string_view next() noexcept { return at_end() ? std::string_view() : words_[at_++]; }
  // Takes the next word if it is this one.
  bool take(std::string_view word) noexcept {
    const bool is_next = !at_end() && peek() == word;
    at_ += is_next ? 1 : 0;
    return is_next;
  }

 private:
  const std::vector<std::string>& words_;
  std::size_t at_ = 0;
};

// "found 'word', expected what"; says that the rule ends where there is none.
std::unexpected<Error> unlike(std::string_view found, std::string_view expected);

}  // namespace waypost::policy
