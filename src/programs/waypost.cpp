// waypost: looks at what waypost-dns and waypost-node would do, and has a running one do things.

#include "ops/config.h"
#include "ops/control_client.h"
#include "ops/flags.h"
#include "ops/node_config.h"
#include "ops/pod_commands.h"
#include "ops/rule_report.h"
#include "programs/program.h"

#include <cstdio>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace {

using namespace waypost;

void print_checked(std::string_view what, const std::vector<ops::ShownValue>& values) {
  std::printf("%.*s: ok\n", static_cast<int>(what.size()), what.data());
  for (const ops::ShownValue& value : values) {
    std::printf("  %.*s: %s\n", static_cast<int>(value.key.size()), value.key.data(),
                value.text.c_str());
  }
}

int check_config(const ops::ConfigOrigin& origin) {
  const auto config = ops::load_config(origin.file, origin.flags);
  if (!config) {
    return programs::fail("", config.error());
  }
  print_checked(origin.file->native(), config->shown);
  return 0;
}

int check_config(const ops::NodeCheck& check) {
  const auto config = ops::load_node_config(check.node.file, check.node.flags);
  if (!config) {
    return programs::fail("", config.error());
  }
  print_checked(check.node.file ? check.node.file->native() : "waypost-node", config->shown);
  if (config->dns.is_on) {
    print_checked(config->dns.file ? config->dns.file->native() : "the node's DNS",
                  config->dns.answers.shown);
  }
  return 0;
}

int convert(const ops::Conversion& conversion) {
  const auto text = ops::convert_corefile(conversion.file);
  if (!text) {
    return programs::fail("", text.error());
  }
  return programs::print_text(*text);
}

int report_rules(ops::RuleCommand& command) {
  auto config = ops::load_node_config(command.node.file, command.node.flags);
  if (!config) {
    return programs::fail("", config.error());
  }
  ops::RuleQuestion question{std::move(*config), std::move(command.node_addresses),
                             std::move(command.packet)};
  question.config.manifests.files = std::move(command.files);
  const auto report = ops::answer(question);
  if (!report) {
    return programs::fail("", report.error());
  }
  programs::print_text(report->text);
  return report->problems.empty() ? 0 : programs::fail("", report->problems);
}

int run(std::span<const char* const> arguments) {
  if (const auto output = ops::run_pod_command(arguments)) {
    programs::print_text(output->text);
    programs::fail("", output->messages);
    return output->code;
  }
  auto line = ops::parse_tool_command_line(arguments);
  if (!line) {
    return programs::fail("", line.error());
  }
  if (const auto* text = std::get_if<ops::PrintText>(&*line)) {
    return programs::print_text(text->text);
  }
  if (auto* command = std::get_if<ops::RuleCommand>(&*line)) {
    return report_rules(*command);
  }
  if (const auto* conversion = std::get_if<ops::Conversion>(&*line)) {
    return convert(*conversion);
  }
  if (const auto* request = std::get_if<ops::FlushRequest>(&*line)) {
    const auto said = ops::request_flush(*request);
    return said ? programs::print_text(*said + "\n") : programs::fail("", said.error());
  }
  if (const auto* check = std::get_if<ops::NodeCheck>(&*line)) {
    return check_config(*check);
  }
  return check_config(std::get<ops::ConfigOrigin>(*line));
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_program("waypost", argc, argv, run);
}
