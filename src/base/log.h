// The door to spdlog: leveled lines on stderr for the person who runs a program.
//
// Control path only: the packet path counts, it never logs.  Safe to call from any thread.
//
// Whatever happens outside, the log stays short: of what one place of the program has to say, a
// hundred lines are written at once and then one every five seconds (base/log_limit.h); the last of
// them before some are left out says so, and the next one how many they were.  Lines of "debug",
// which somebody has asked for, are all written.

#pragma once

#include <spdlog/spdlog.h>

#include <concepts>
#include <cstdint>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>

namespace waypost::log {

// What fmt makes a line of, checked when it is compiled, and where in the program it stands.
template <typename... Args>
struct Line {
  template <typename Text>
    requires std::convertible_to<const Text&, std::string_view>
  // NOLINTNEXTLINE(google-explicit-constructor): stands for the text.
  consteval Line(const Text& text, std::source_location from = std::source_location::current())
      : format(text), place(from) {}

  spdlog::format_string_t<Args...> format;
  std::source_location place;
};

using Level = spdlog::level::level_enum;

// Writes the message unless its place has written too much of late.
void submit(Level level, const std::source_location& place, std::string_view message);

template <typename... Args>
void submit_formatted(Level level, const Line<std::type_identity_t<Args>...>& line,
                      Args&&... args) {
  if (spdlog::should_log(level)) {
    submit(level, line.place, fmt::format(line.format, std::forward<Args>(args)...));
  }
}

template <typename... Args>
void debug(Line<std::type_identity_t<Args>...> line, Args&&... args) {
  submit_formatted<Args...>(Level::debug, line, std::forward<Args>(args)...);
}
template <typename... Args>
void info(Line<std::type_identity_t<Args>...> line, Args&&... args) {
  submit_formatted<Args...>(Level::info, line, std::forward<Args>(args)...);
}
template <typename... Args>
void warn(Line<std::type_identity_t<Args>...> line, Args&&... args) {
  submit_formatted<Args...>(Level::warn, line, std::forward<Args>(args)...);
}
template <typename... Args>
void error(Line<std::type_identity_t<Args>...> line, Args&&... args) {
  submit_formatted<Args...>(Level::err, line, std::forward<Args>(args)...);
}

// Lines that were left out so far, of all places.
std::uint64_t left_out() noexcept;

enum class Format : std::uint8_t {
  Text,  // text_line() of base/log_format.h.
  Json,  // json_line().
};

// Sends lines of `level` ("debug", "info", "warn", "error") and above to stderr.  Returns false and
// changes nothing for another word.
bool set_up(std::string_view level, Format format = Format::Text);

// What set_up() was told last; text before.
Format format() noexcept;

// Sends whole lines to stderr as they are, in one piece: made by base/log_format.h, whatever the
// level is.  The caller bounds how many they are.
void write_lines(std::string_view lines);

}  // namespace waypost::log
