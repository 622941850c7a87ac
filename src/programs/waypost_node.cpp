// waypost-node: makes Services' virtual addresses reach their endpoints.

#include "base/log.h"
#include "ops/flags.h"
#include "ops/node_config.h"
#include "ops/node_life_cycle.h"
#include "programs/program.h"

#include <csignal>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

namespace {

using namespace waypost;

constexpr std::string_view Name = "waypost-node";

int run(std::span<const char* const> arguments) {
  auto line = ops::parse_node_command_line(arguments);
  if (!line) {
    return programs::fail(Name, line.error());
  }
  if (const auto* text = std::get_if<ops::PrintText>(&*line)) {
    return programs::print_text(text->text);
  }
  // A program that has ended does not read its input, nor a script our output.
  std::signal(SIGPIPE, SIG_IGN);
  const auto& origin = std::get<ops::ConfigOrigin>(*line);
  log::set_up("info", ops::early_log_format(origin));
  auto config = ops::load_node_config(origin.file, origin.flags);
  if (!config) {
    return programs::fail(Name, config.error());
  }
  log::set_up(config->log_level, config->log_format);
  if (config->cleanup) {
    const Result<void> done = ops::clean_up(programs::print_line);
    return done ? 0 : programs::fail(Name, done.error());
  }
  auto life_cycle = ops::NodeLifeCycle::start(std::move(*config), programs::print_line);
  if (!life_cycle) {
    return programs::fail(Name, life_cycle.error());
  }
  (*life_cycle)->run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_program(Name, argc, argv, run);
}
