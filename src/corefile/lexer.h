// The words of a Corefile and where they stand.
//
// Words are separated by blanks and line ends.  '#' outside of quotes begins a comment, also behind
// a word.  A word that begins with '"' ends at the next one, over line ends if need be; inside, \"
// is a quote and any other backslash is itself.

#pragma once

#include "base/error.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::corefile {

// The most words that a Corefile may have, with all that it imports.
inline constexpr std::size_t MaxWords = 1U << 16;

struct Place {
  std::shared_ptr<const std::string> file;
  unsigned line = 0;

  // "/etc/coredns/Corefile:12", what messages begin with.
  std::string to_text() const;
};

struct Word {
  std::string text;
  Place place;
  bool quoted = false;       // Then a brace is just text.
  bool starts_line = false;  // The first one of its line.

  bool is(std::string_view wanted) const noexcept { return !quoted && text == wanted; }
};

// Takes `text` apart.  Fails for a quote without end and for more than MaxWords words.
Result<std::vector<Word>> words_of(std::string_view text,
                                   const std::shared_ptr<const std::string>& file);

}  // namespace waypost::corefile
