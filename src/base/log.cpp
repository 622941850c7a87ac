#include "base/log.h"

#include "base/log_format.h"
#include "base/log_limit.h"

#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

namespace waypost::log {
namespace {

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(Format format) : format_(format) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& to) override {
    const spdlog::string_view_t level = spdlog::level::to_string_view(message.level);
    const auto make = format_ == Format::Json ? json_line : text_line;
    const std::string line = make(message.time, {level.data(), level.size()},
                                  {message.payload.data(), message.payload.size()}, {}) +
                             "\n";
    to.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(format_);
  }

 private:
  Format format_;
};

std::atomic<Format> current_format{Format::Text};
std::atomic<std::uint64_t> lines_left_out{0};

}  // namespace

void submit(Level level, const std::source_location& place, std::string_view message) {
  const spdlog::string_view_t text(message.data(), message.size());
  if (level == Level::debug) {
    spdlog::log(level, text);
    return;
  }
  static Limit limit;
  const Limit::Verdict verdict = limit.ask(place, std::chrono::steady_clock::now());
  if (!verdict.is_admitted) {
    lines_left_out.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  if (verdict.left_out != 0) {
    spdlog::log(level, "{} lines like the next one were left out", verdict.left_out);
  }
  spdlog::log(level, text);
  if (verdict.is_last) {
    spdlog::log(level, "more lines like the last one are left out, but for one every {} s",
                Limit::Interval.count());
  }
}

std::uint64_t left_out() noexcept {
  return lines_left_out.load(std::memory_order_relaxed);
}

bool set_up(std::string_view level, Format format) {
  if (level != "debug" && level != "info" && level != "warn" && level != "error") {
    return false;
  }
  static const auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("", sink);
  logger->set_formatter(std::make_unique<LineFormatter>(format));
  logger->set_level(spdlog::level::from_str(std::string(level)));
  spdlog::set_default_logger(std::move(logger));
  current_format.store(format, std::memory_order_relaxed);
  return true;
}

Format format() noexcept {
  return current_format.load(std::memory_order_relaxed);
}

// One call, as spdlog makes one for a line: stdio lets nobody in between (POSIX, flockfile).
void write_lines(std::string_view lines) {
  std::fwrite(lines.data(), 1, lines.size(), stderr);
  std::fflush(stderr);
}

}  // namespace waypost::log
