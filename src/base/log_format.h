// How a line of the log looks.
//
// Not here: where it goes (base/log.h).

#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace waypost::log {

// One JSON object without a line end (RFC 8259): {"time":…,"level":…,"message":…}.  `time` is UTC
// with milliseconds (RFC 3339).  Octets of `message` that are no UTF-8 become U+FFFD each, so that
// the line is valid whatever a message quotes.
std::string json_line(std::chrono::system_clock::time_point time, std::string_view level,
                      std::string_view message);

}  // namespace waypost::log
