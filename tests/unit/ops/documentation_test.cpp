// Guards: docs/configuration.md and --help say what the option table says, completely.

#include "base/file.h"
#include "ops/config.h"
#include "ops/config_reader.h"
#include "ops/flags.h"
#include "ops/node_options.h"
#include "ops/option_table.h"
#include "support/temporary_folder.h"
#include "unit/ops/unwrapped.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <variant>
#include <vector>

namespace waypost::ops {
namespace {

std::string documentation() {
  const auto text = read_file(std::filesystem::path(WAYPOST_SOURCE_ROOT) / "docs/configuration.md");
  return text ? *text : "";
}

// The section of one option, as docs/configuration.md has to have it.
std::string section(const Option& option) {
  std::string text =
      "### `" + std::string(option.key) + "`\n\n" + std::string(option.help) + "\n\n";
  text += "- Flag: `--" + std::string(option.flag) + " " + std::string(option.value_name) + "`\n";
  text += "- Accepts: " + std::string(option.expected) + "\n";
  const std::string tick = option.default_words.empty() ? "`" : "";
  text += "- Default: " + tick + std::string(option.shown_default()) + tick + "\n";
  text +=
      std::string("- A change takes effect: ") + (option.live ? "at once" : "at restart") + "\n";
  return text;
}

// The fenced YAML blocks of a page.
std::vector<std::string> yaml_examples(const std::string& page) {
  std::vector<std::string> examples;
  const std::string open = "```yaml\n";
  for (std::size_t at = page.find(open); at != std::string::npos; at = page.find(open, at)) {
    at += open.size();
    examples.push_back(page.substr(at, page.find("```", at) - at));
  }
  return examples;
}

}  // namespace

TEST_CASE("the documentation has a section for every option, with flag, values and default") {
  const std::string page = unwrapped(documentation());
  REQUIRE_FALSE(page.empty());
  for (const Option& option : options()) {
    CHECK_MESSAGE(page.find(unwrapped(section(option))) != std::string::npos,
                  "docs/configuration.md lacks this section:\n", section(option));
  }
}

TEST_CASE("the documentation has no section for an option that does not exist") {
  const std::string page = documentation();
  for (std::size_t at = page.find("\n### `"); at != std::string::npos;
       at = page.find("\n### `", at + 1)) {
    const std::size_t start = at + 6;
    const std::string key = page.substr(start, page.find('`', start) - start);
    CAPTURE(key);
    CHECK(find_option(key) != nullptr);
  }
}

TEST_CASE("the examples of the documentation are valid configurations") {
  const test::TemporaryFolder folder;
  for (const char* name : {"manifests", "zones"}) {
    std::filesystem::create_directories(folder.path() / name);
  }
  const std::vector<std::string> examples = yaml_examples(documentation());
  REQUIRE_FALSE(examples.empty());
  for (const std::string& example : examples) {
    CAPTURE(example);
    const auto config = load_config(folder.write("waypost.yaml", example), {});
    const std::string problem = config ? "" : config.error().front().message;
    CHECK(problem == "");
  }
}

TEST_CASE("--help names every option, what it accepts and its default") {
  const auto line = parse_dns_command_line(std::vector<const char*>{"--help"});
  REQUIRE(line);
  REQUIRE(std::holds_alternative<PrintText>(*line));
  const std::string help = unwrapped(std::get<PrintText>(*line).text);
  for (const Option& option : options()) {
    const std::string wanted = unwrapped(
        "  --" + std::string(option.flag) + " " + std::string(option.value_name) + " [" +
        std::string(option.key) + "] " + std::string(option.help) + " Accepts " +
        std::string(option.expected) + ". Default: " + std::string(option.shown_default()) + ".");
    CHECK_MESSAGE(help.find(wanted) != std::string::npos, "--help lacks: ", wanted);
  }
}

TEST_CASE("no line of --help is wider than 100 columns") {
  const auto check = [](const auto& line) {
    REQUIRE(line);
    std::string_view text = std::get<PrintText>(*line).text;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      CAPTURE(text.substr(0, end));
      CHECK(end <= 100);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  };
  check(parse_dns_command_line(std::vector<const char*>{"--help"}));
  check(parse_tool_command_line(std::vector<const char*>{"--help"}));
}

TEST_CASE("waypost --help has the flags of plan and explain that waypost-node does not have") {
  const auto line = parse_tool_command_line(std::vector<const char*>{"--help"});
  REQUIRE(line);
  const std::string help = unwrapped(std::get<PrintText>(*line).text);
  for (const char* flag : {" --node-addresses ADDRESS ", " --kernel (explain) ",
                           " --rules FILE (explain) ", " --interface NAME (explain) "}) {
    CHECK_MESSAGE(help.find(flag) != std::string::npos, "--help lacks: ", flag);
  }
}

TEST_CASE("plan and explain take every option of waypost-node but --cleanup") {
  for (const NodeOption& option : node_options()) {
    const std::string flag = "--" + std::string(option.flag) + "=x";
    for (const std::vector<const char*>& words :
         {std::vector<const char*>{"plan", flag.c_str(), "world.yaml"},
          std::vector<const char*>{"explain", flag.c_str(), "10.0.0.1", "10.96.0.1:80"}}) {
      const auto line = parse_tool_command_line(words);
      const bool is_taken = option.flag != "cleanup";
      const bool needs_no_files =
          option.flag != "manifests" && option.flag != "kubeconfig" && option.flag != "api-server";
      CHECK_MESSAGE(line.has_value() == (is_taken && (needs_no_files || words.size() == 4)), flag,
                    " of ", words[0]);
      if (line) {
        const auto& command = std::get<RuleCommand>(*line);
        REQUIRE(command.node.flags.size() == 1);
        CHECK(command.node.flags[0].key == option.flag);
      }
    }
  }
}

TEST_CASE("keys and flags are unique and say the same word") {
  std::set<std::string> flags;
  for (const Option& option : options()) {
    std::string kebab;
    for (const char c : option.key) {
      if (c >= 'A' && c <= 'Z') {
        kebab += '-';
        kebab += static_cast<char>(c - 'A' + 'a');
      } else {
        kebab += c;
      }
    }
    CHECK(option.flag == kebab);
    CHECK(flags.insert(kebab).second);
    CHECK(find_option(option.key) == &option);
  }
}

TEST_CASE("every default is accepted by its own option") {
  for (const Option& option : options()) {
    if (option.default_value.empty()) {
      continue;
    }
    std::string value(option.default_value);
    CAPTURE(option.key);
    if (option.form == OptionForm::List) {
      value = "['" + value + "']";
      for (std::size_t at = value.find(", "); at != std::string::npos;
           at = value.find(", ", at + 5)) {
        value.replace(at, 2, "', '");
      }
    }
    const std::string yaml = std::string(option.key) + ": " + value + "\n";
    CAPTURE(yaml);
    const ReadSettings read = read_settings(yaml, "waypost.yaml");
    REQUIRE(read.settings.size() == 1);
    Config config;
    for (const SettingValue& part : read.settings[0].values) {
      CHECK(option.put(config, part.text).has_value());
    }
  }
}

}  // namespace waypost::ops
