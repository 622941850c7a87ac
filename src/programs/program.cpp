#include "programs/program.h"

#include "base/log.h"
#include "base/log_format.h"

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>

namespace waypost::programs {
namespace {

bool is_json() noexcept {
  return log::format() == log::Format::Json;
}

std::string json(std::string_view level, std::string_view message) {
  return log::json_line(std::chrono::system_clock::now(), level, message, {});
}

int tell(std::string_view program, std::string_view message) {
  std::string line;
  if (is_json()) {
    line = json("error", message);
  } else {
    line.append(program).append(program.empty() ? "" : ": ").append(message);
  }
  log::write_lines(line + "\n");
  return 1;
}

}  // namespace

void print_line(std::string_view line) {
  const std::string text = (is_json() ? json("info", line) : std::string(line)) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

int print_text(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return 0;
}

int fail(std::string_view program, const std::vector<Error>& problems) {
  for (const Error& problem : problems) {
    tell(program, problem.message);
  }
  return 1;
}

int fail(std::string_view program, const Error& problem) {
  return tell(program, problem.message);
}

int run_program(std::string_view program, int argc, char** argv,
                const std::function<int(std::span<const char* const>)>& run) {
  try {
    return run(std::span<const char* const>(argv, static_cast<std::size_t>(argc)).subspan(1));
  } catch (const std::exception& exception) {
    return tell(program, exception.what());
  }
}

}  // namespace waypost::programs
