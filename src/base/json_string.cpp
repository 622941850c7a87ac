#include "base/json_string.h"

#include <spdlog/fmt/fmt.h>

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace waypost {
namespace {

// The octets of the UTF-8 sequence that `text` begins with; 0 when it begins with none (RFC 3629,
// 4).
std::size_t utf8_size(std::string_view text) noexcept {
  const auto octet = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto continues = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if (i >= text.size() || (octet(i) & 0xC0U) != 0x80U) {
        return false;
      }
    }
    return true;
  };
  const std::uint8_t first = octet(0);
  if (first < 0x80) {
    return 1;
  }
  if (first >= 0xC2 && first <= 0xDF) {
    return continues(1, 2) ? 2 : 0;
  }
  if (first >= 0xE0 && first <= 0xEF) {
    // Neither longer than need be nor a surrogate.
    return continues(1, 3) && !(first == 0xE0 && octet(1) < 0xA0) &&
                   !(first == 0xED && octet(1) > 0x9F)
               ? 3
               : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    return continues(1, 4) && !(first == 0xF0 && octet(1) < 0x90) &&
                   !(first == 0xF4 && octet(1) > 0x8F)
               ? 4
               : 0;
  }
  return 0;
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    const char first = text.front();
    if (size == 0) {
      quoted += "\uFFFD";
    } else if (first == '"' || first == '\\') {
      quoted.push_back('\\');
      quoted.push_back(first);
    } else if (static_cast<std::uint8_t>(first) < 0x20) {
      fmt::format_to(std::back_inserter(quoted), "\\u{:04x}", static_cast<unsigned>(first));
    } else {
      quoted += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  quoted.push_back('"');
  return quoted;
}

}  // namespace waypost
