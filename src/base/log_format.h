// How a line of the log looks.
//
// Whatever a message or a value quotes, it is one line, and cannot look like another one.
//
// Not here: where it goes (base/log.h).

#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace waypost::log {

// What a line says besides its message, for programs that read it.
struct Field {
  std::string_view key;  // Letters and '_'.
  std::variant<std::string, std::uint64_t> value;
};

using SystemTime = std::chrono::system_clock::time_point;

// "2026-01-31T12:00:00.000Z info MESSAGE KEY=VALUE ...", without a line end.  `time` is told in UTC
// with milliseconds (RFC 3339).  Control characters are written as \xNN.  In a value all but
// printable ASCII is, and so are '=', '"' and blanks; one that is empty is written "".
std::string text_line(SystemTime time, std::string_view level, std::string_view message,
                      std::span<const Field> fields);

// The same as a JSON object (RFC 8259): {"time":…,"level":…,"message":…,KEY:VALUE…}.  Octets that
// are no UTF-8 become U+FFFD each.
std::string json_line(SystemTime time, std::string_view level, std::string_view message,
                      std::span<const Field> fields);

}  // namespace waypost::log
