#include "base/log_format.h"

#include "base/json_string.h"

#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

#include <iterator>

namespace waypost::log {
namespace {

std::string time_text(SystemTime time) {
  const auto since_epoch =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  const std::chrono::sys_seconds seconds(std::chrono::floor<std::chrono::seconds>(since_epoch));
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (since_epoch - seconds.time_since_epoch()).count());
}

// Appends `text`; octets that `is_plain` is false for as \xNN.
template <typename IsPlain>
void append_escaped(std::string& line, std::string_view text, IsPlain is_plain) {
  for (const char c : text) {
    const auto octet = static_cast<std::uint8_t>(c);
    if (is_plain(octet)) {
      line.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(line), "\\x{:02x}", octet);
    }
  }
}

void append_value(std::string& line, const std::string& text) {
  if (text.empty()) {
    line += "\"\"";
  }
  append_escaped(line, text, [](std::uint8_t octet) {
    return octet > 0x20 && octet < 0x7f && octet != '=' && octet != '"';
  });
}

}  // namespace

std::string text_line(SystemTime time, std::string_view level, std::string_view message,
                      std::span<const Field> fields) {
  std::string line = time_text(time);
  line.append(" ").append(level).append(" ");
  append_escaped(line, message, [](std::uint8_t octet) { return octet >= 0x20 && octet != 0x7f; });
  for (const Field& field : fields) {
    line.append(" ").append(field.key).append("=");
    if (const auto* text = std::get_if<std::string>(&field.value)) {
      append_value(line, *text);
    } else {
      line += std::to_string(std::get<std::uint64_t>(field.value));
    }
  }
  return line;
}

std::string json_line(SystemTime time, std::string_view level, std::string_view message,
                      std::span<const Field> fields) {
  std::string line = "{\"time\":\"" + time_text(time) + "\",\"level\":" + json_string(level) +
                     ",\"message\":" + json_string(message);
  for (const Field& field : fields) {
    line += "," + json_string(field.key) + ":";
    const auto* text = std::get_if<std::string>(&field.value);
    line +=
        text != nullptr ? json_string(*text) : std::to_string(std::get<std::uint64_t>(field.value));
  }
  return line + "}";
}

}  // namespace waypost::log
