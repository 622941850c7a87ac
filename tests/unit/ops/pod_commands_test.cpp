// Guards: docs/resolv-conf.md and --help of each command say what the table of its flags says.

#include "ops/pod_commands.h"

#include "base/file.h"
#include "ops/env_command.h"
#include "ops/inject_command.h"
#include "ops/resolv_conf_command.h"
#include "unit/ops/unwrapped.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::ops {
namespace {

std::string name_of(const CommandFlag& flag) {
  return "--" + std::string(flag.flag) + (flag.value_name.empty() ? "" : " ") +
         std::string(flag.value_name);
}

std::string text_of(const CommandFlag& flag) {
  return std::string(flag.help) + " Accepts " + std::string(flag.expected) +
         ". Default: " + std::string(flag.shown_default) + ".";
}

void expect_documented(const char* command, std::span<const CommandFlag> flags) {
  const auto read = read_file(std::filesystem::path(WAYPOST_SOURCE_ROOT) / "docs/resolv-conf.md");
  REQUIRE(read);
  const std::string page = unwrapped(*read);
  const char* const arguments[] = {command, "--help"};
  const auto output = run_pod_command(arguments);
  REQUIRE(output);
  CHECK(output->code == 0);
  for (std::string_view rest = output->text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    CAPTURE(rest.substr(0, end));
    CHECK(end <= 100);
    rest.remove_prefix(end + 1);
  }
  const std::string help = unwrapped(output->text);
  for (const CommandFlag& flag : flags) {
    CAPTURE(flag.flag);
    CHECK(page.find("- `" + name_of(flag) + "`: " + text_of(flag)) != std::string::npos);
    CHECK(help.find(name_of(flag) + " " + text_of(flag)) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("every flag of the commands about Pods is documented and in --help") {
  expect_documented("resolv-conf", resolv_conf_flags());
  expect_documented("env", env_flags());
  expect_documented("inject", inject_flags());
}

TEST_CASE("other commands are left to others") {
  const char* const arguments[] = {"plan", "file.yaml"};
  CHECK_FALSE(run_pod_command(arguments));
  CHECK_FALSE(run_pod_command({}));
}

TEST_CASE("a boolean flag takes true and false, and nothing else") {
  const char* const arguments[] = {"resolv-conf", "--host-network=maybe"};
  const auto output = run_pod_command(arguments);
  REQUIRE(output);
  CHECK(output->code == 1);
  REQUIRE(output->messages.size() == 1);
  CHECK(output->messages[0].message == "--host-network: found 'maybe', expected true or false");
}

}  // namespace waypost::ops
