// Text without its line breaks, for guards that compare pages and --help with tables.

#pragma once

#include <string>
#include <string_view>

namespace waypost::ops {

// Runs of blanks and line ends become one blank, so that wrapping does not matter.
inline std::string unwrapped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\n';
    if (!blank) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != ' ') {
      out.push_back(' ');
    }
  }
  return out;
}

}  // namespace waypost::ops
