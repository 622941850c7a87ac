#include "base/log_format.h"

#include "base/json_string.h"

#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

namespace waypost::log {

std::string json_line(std::chrono::system_clock::time_point time, std::string_view level,
                      std::string_view message) {
  const auto since_epoch =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  const std::chrono::sys_seconds seconds(std::chrono::floor<std::chrono::seconds>(since_epoch));
  const std::string line = fmt::format("{{\"time\":\"{:%Y-%m-%dT%H:%M:%S}.{:03}Z\",\"level\":",
                                       fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                                       (since_epoch - seconds.time_since_epoch()).count());
  return line + json_string(level) + ",\"message\":" + json_string(message) + "}";
}

}  // namespace waypost::log
