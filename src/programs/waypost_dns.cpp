// waypost-dns: answers the names of a Kubernetes cluster.

#include "base/log.h"
#include "ops/flags.h"
#include "ops/life_cycle.h"
#include "programs/program.h"

#include <csignal>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

namespace {

using namespace waypost;

constexpr std::string_view Name = "waypost-dns";

int run(std::span<const char* const> arguments) {
  auto line = ops::parse_dns_command_line(arguments);
  if (!line) {
    return programs::fail(Name, line.error());
  }
  if (const auto* text = std::get_if<ops::PrintText>(&*line)) {
    return programs::print_text(text->text);
  }
  // A script may close its end of stdout or stderr once it has seen enough.
  std::signal(SIGPIPE, SIG_IGN);
  auto& origin = std::get<ops::ConfigOrigin>(*line);
  auto config = ops::load_config(origin.file, origin.flags);
  if (!config) {
    return programs::fail(Name, config.error());
  }
  log::set_up(config->log_level);
  auto life_cycle =
      ops::LifeCycle::start(std::move(origin), std::move(*config), programs::print_line);
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
