#include "programs/program.h"

#include <cstddef>
#include <cstdio>
#include <exception>

namespace waypost::programs {
namespace {

int tell(std::string_view program, std::string_view message) {
  std::fprintf(stderr, "%.*s%s%.*s\n", static_cast<int>(program.size()), program.data(),
               program.empty() ? "" : ": ", static_cast<int>(message.size()), message.data());
  return 1;
}

}  // namespace

void print_line(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
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
