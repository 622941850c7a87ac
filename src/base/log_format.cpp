#include "base/log_format.h"

#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace waypost::log {
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

void append_string(std::string& line, std::string_view text) {
  line.push_back('"');
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    const char first = text.front();
    if (size == 0) {
      line += "\uFFFD";
    } else if (first == '"' || first == '\\') {
      line.push_back('\\');
      line.push_back(first);
    } else if (static_cast<std::uint8_t>(first) < 0x20) {
      fmt::format_to(std::back_inserter(line), "\\u{:04x}", static_cast<unsigned>(first));
    } else {
      line += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  line.push_back('"');
}

}  // namespace

std::string json_line(std::chrono::system_clock::time_point time, std::string_view level,
                      std::string_view message) {
  const auto since_epoch =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  const std::chrono::sys_seconds seconds(std::chrono::floor<std::chrono::seconds>(since_epoch));
  std::string line = fmt::format("{{\"time\":\"{:%Y-%m-%dT%H:%M:%S}.{:03}Z\",\"level\":",
                                 fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                                 (since_epoch - seconds.time_since_epoch()).count());
  append_string(line, level);
  line += ",\"message\":";
  append_string(line, message);
  line.push_back('}');
  return line;
}

}  // namespace waypost::log
