// waypost-node: makes Services' virtual addresses reach their endpoints.

#include "base/log.h"
#include "ops/flags.h"
#include "ops/node_config.h"
#include "ops/node_life_cycle.h"

#include <csignal>
#include <cstdio>
#include <exception>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

namespace {

using namespace waypost;

// Scripts wait for lines, so each one goes out at once.
void print(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

int fail(const ops::Problems& problems) {
  for (const Error& problem : problems) {
    std::fprintf(stderr, "waypost-node: %s\n", problem.message.c_str());
  }
  return 1;
}

int run(std::span<const char* const> arguments) {
  auto line = ops::parse_node_command_line(arguments);
  if (!line) {
    return fail(line.error());
  }
  if (const auto* text = std::get_if<ops::PrintText>(&*line)) {
    std::fputs(text->text.c_str(), stdout);
    return 0;
  }
  // A program that has ended does not read its input, nor a script our output.
  std::signal(SIGPIPE, SIG_IGN);
  const auto& origin = std::get<ops::ConfigOrigin>(*line);
  auto config = ops::load_node_config(origin.file, origin.flags);
  if (!config) {
    return fail(config.error());
  }
  log::set_up(config->log_level);
  if (config->cleanup) {
    const Result<void> done = ops::clean_up(print);
    return done ? 0 : fail({done.error()});
  }
  auto life_cycle = ops::NodeLifeCycle::start(std::move(*config), print);
  if (!life_cycle) {
    return fail({life_cycle.error()});
  }
  (*life_cycle)->run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(std::span<const char* const>(argv, static_cast<std::size_t>(argc)).subspan(1));
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "waypost-node: %s\n", exception.what());
    return 1;
  }
}
