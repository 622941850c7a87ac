#include "base/log.h"

#include "base/log_format.h"

#include <spdlog/sinks/stdout_sinks.h>

#include <memory>
#include <string>

namespace waypost::log {
namespace {

class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& to) override {
    const spdlog::string_view_t level = spdlog::level::to_string_view(message.level);
    const std::string line = json_line(message.time, {level.data(), level.size()},
                                       {message.payload.data(), message.payload.size()}) +
                             "\n";
    to.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }
};

}  // namespace

bool set_up(std::string_view level, Format format) {
  if (level != "debug" && level != "info" && level != "warn" && level != "error") {
    return false;
  }
  static const auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("", sink);
  if (format == Format::Json) {
    logger->set_formatter(std::make_unique<JsonFormatter>());
  } else {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  }
  logger->set_level(spdlog::level::from_str(std::string(level)));
  spdlog::set_default_logger(std::move(logger));
  return true;
}

}  // namespace waypost::log
