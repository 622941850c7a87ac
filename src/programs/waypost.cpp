// waypost: looks at what waypost-dns and waypost-node would do.

#include "ops/config.h"
#include "ops/flags.h"
#include "ops/pod_commands.h"
#include "ops/rule_report.h"

#include <cstdio>
#include <exception>
#include <span>
#include <variant>

namespace {

using namespace waypost;

int fail(const ops::Problems& problems) {
  for (const Error& problem : problems) {
    std::fprintf(stderr, "%s\n", problem.message.c_str());
  }
  return 1;
}

int check_config(const ops::ConfigOrigin& origin) {
  const auto config = ops::load_config(origin.file, origin.flags);
  if (!config) {
    return fail(config.error());
  }
  std::printf("%s: ok\n", origin.file->c_str());
  for (const ops::ShownValue& value : config->shown) {
    std::printf("  %.*s: %s\n", static_cast<int>(value.key.size()), value.key.data(),
                value.text.c_str());
  }
  return 0;
}

int report_rules(const ops::RuleQuestion& question) {
  const auto report = ops::answer(question);
  if (!report) {
    return fail({report.error()});
  }
  std::fputs(report->text.c_str(), stdout);
  return report->problems.empty() ? 0 : fail(report->problems);
}

int run(std::span<const char* const> arguments) {
  if (const auto output = ops::run_pod_command(arguments)) {
    std::fputs(output->text.c_str(), stdout);
    fail(output->messages);
    return output->code;
  }
  const auto line = ops::parse_tool_command_line(arguments);
  if (!line) {
    return fail(line.error());
  }
  if (const auto* text = std::get_if<ops::PrintText>(&*line)) {
    std::fputs(text->text.c_str(), stdout);
    return 0;
  }
  if (const auto* question = std::get_if<ops::RuleQuestion>(&*line)) {
    return report_rules(*question);
  }
  return check_config(std::get<ops::ConfigOrigin>(*line));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(std::span<const char* const>(argv, static_cast<std::size_t>(argc)).subspan(1));
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "waypost: %s\n", exception.what());
    return 1;
  }
}
