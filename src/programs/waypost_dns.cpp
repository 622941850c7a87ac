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
  log::set_up("info", ops::early_log_format(origin));
  auto loaded = ops::load_config(origin);
  if (!loaded) {
    return programs::fail(Name, loaded.error());
  }
  log::set_up(loaded->config.log_level, loaded->config.log_format);
  for (const std::string& note : loaded->notes) {
    log::warn("{}", note);
  }
  const ops::PrintLine print =
      origin.is_quiet ? ops::PrintLine([](std::string_view) {}) : programs::print_line;
  auto life_cycle = ops::LifeCycle::start(std::move(origin), std::move(loaded->config), print);
  if (!life_cycle) {
    return programs::fail(Name, life_cycle.error());
  }
  if (const Result<void> ended = (*life_cycle)->run(); !ended) {
    return programs::fail(Name, ended.error());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_program(Name, argc, argv, run);
}
