#include "ops/flags.h"

#include "ops/node_options.h"
#include "ops/option_table.h"
#include "ops/rule_flags.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace waypost::ops {
namespace {

constexpr std::size_t HelpWidth = 100;  // Columns.
constexpr std::size_t HelpIndent = 10;

constexpr std::string_view Version = WAYPOST_VERSION;

constexpr std::string_view DnsUsage =
    "waypost-dns answers the names of a Kubernetes cluster.\n"
    "\n"
    "Usage: waypost-dns [--config FILE] [FLAG VALUE]...\n"
    "\n"
    "Every flag is also a key of the configuration file, named in brackets; a flag wins over the "
    "file,\n"
    "the file over the default. A list is written as VALUE,VALUE or by giving its flag several "
    "times.\n"
    "SIGHUP and edits of the file reload it; SIGINT and SIGTERM stop the program.\n"
    "\n"
    "  --config FILE\n"
    "          The configuration file, in YAML.\n"
    "  --help, --version\n"
    "          Print this text, or the version, and exit.\n";

constexpr std::string_view NodeUsage =
    "waypost-node makes the virtual addresses of Kubernetes Services reach their endpoints, by "
    "programming\n"
    "iptables on its node as kube-proxy does.\n"
    "\n"
    "Usage: waypost-node --node-name NAME [--config FILE] [FLAG VALUE]...\n"
    "       waypost-node --cleanup\n"
    "\n"
    "Keys in brackets are those of a KubeProxyConfiguration file that --config names; a flag wins "
    "over the\n"
    "file. What such a file or a kube-proxy flag says that has no meaning here is refused by name. "
    "A list is\n"
    "written as VALUE,VALUE or by giving its flag several times. SIGINT and SIGTERM stop the "
    "program; its\n"
    "rules stay in force.\n"
    "\n"
    "  --config FILE\n"
    "          A KubeProxyConfiguration file (kubeproxy.config.k8s.io/v1alpha1).\n"
    "  --help, --version\n"
    "          Print this text, or the version, and exit.\n";

constexpr std::string_view ToolUsage =
    "waypost looks at what waypost-dns and waypost-node would do.\n"
    "\n"
    "Usage: waypost check-config FILE [FLAG VALUE]...\n"
    "       waypost plan [FLAG VALUE]... FILE...\n"
    "       waypost explain [FLAG VALUE]... SOURCE ADDRESS:PORT/PROTOCOL FILE...\n"
    "       waypost resolv-conf [FLAG VALUE]...\n"
    "       waypost --help | --version\n"
    "\n"
    "  check-config FILE\n"
    "          Read a configuration file as waypost-dns does, together with the flags that it "
    "would be\n"
    "          given ('waypost-dns --help' lists them). Prints what is in force and exits with 0, "
    "or\n"
    "          prints every problem and exits with 1.\n"
    "  plan FILE...\n"
    "          Print the iptables rules for the Services in these manifests, as iptables-restore "
    "reads\n"
    "          them. Nothing is changed.\n"
    "  explain SOURCE ADDRESS:PORT/PROTOCOL FILE...\n"
    "          Print where the first packet of a connection goes, and why: the Service and its "
    "policies,\n"
    "          each endpoint and why it is used or not, the rules on the way. A SOURCE that is an "
    "address\n"
    "          of the node sends from the node itself.\n"
    "  resolv-conf\n"
    "          Print the resolv.conf that a Pod gets, or put it in its place; 'waypost "
    "resolv-conf\n"
    "          --help' says how.\n"
    "\n"
    "Flags of plan and explain:\n"
    "\n";

// Breaks `text` at blanks into lines that start with `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  const std::size_t width = HelpWidth - indent;
  while (!text.empty()) {
    std::size_t end = text.size();
    if (end > width) {
      const std::size_t blank = text.rfind(' ', width);
      end = blank == std::string_view::npos ? width : blank;
    }
    out.append(indent, ' ').append(text.substr(0, end)).push_back('\n');
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  }
  return out;
}

std::string dns_help() {
  std::string help(DnsUsage);
  for (const Option& option : options()) {
    help.append("  --").append(option.flag).append(" ").append(option.value_name);
    help.append("  [").append(option.key).append("]\n");
    help += wrapped(option.help, HelpIndent);
    std::string facts = "Accepts " + std::string(option.expected) +
                        ". Default: " + std::string(option.shown_default()) + ".";
    if (!option.live) {
      facts += " A change takes effect at restart.";
    }
    help += wrapped(facts, HelpIndent);
  }
  return help;
}

std::string node_help() {
  std::string help(NodeUsage);
  for (const NodeOption& option : node_options()) {
    help.append("  --").append(option.flag);
    if (!option.alias.empty()) {
      help.append(", --").append(option.alias);
    }
    help.append(" ").append(option.value_name);
    if (!option.key.empty()) {
      help.append("  [").append(option.key).append("]");
    }
    help += "\n";
    help += wrapped(option.help, HelpIndent);
    help += wrapped("Accepts " + std::string(option.expected) +
                        ". Default: " + std::string(option.shown_default()) + ".",
                    HelpIndent);
  }
  return help;
}

std::string tool_help() {
  std::string help(ToolUsage);
  for (const RuleFlag& flag : rule_flags()) {
    help.append("  --").append(flag.flag);
    help.append(flag.value_name.empty() ? "" : " ").append(flag.value_name).append("\n");
    help += wrapped(flag.help, HelpIndent);
  }
  return help;
}

std::string command_help(std::string_view usage, std::span<const CommandFlag> flags) {
  std::string help(usage);
  for (const CommandFlag& flag : flags) {
    help.append("  --").append(flag.flag);
    help.append(flag.value_name.empty() ? "" : " ").append(flag.value_name).append("\n");
    help += wrapped(flag.help, HelpIndent);
    help += wrapped("Accepts " + std::string(flag.expected) +
                        ". Default: " + std::string(flag.shown_default) + ".",
                    HelpIndent);
  }
  return help;
}

// A flag of one of the programs.
struct KnownFlag {
  std::string_view key;  // Of the setting that it becomes.
  std::string_view flag;
  std::string_view alias;  // Another name of the same; may be empty.
  OptionForm form;
};

std::vector<KnownFlag> dns_flags() {
  std::vector<KnownFlag> flags;
  for (const Option& option : options()) {
    flags.push_back({option.key, option.flag, {}, option.form});
  }
  return flags;
}

std::vector<KnownFlag> node_flags() {
  std::vector<KnownFlag> flags;
  for (const NodeOption& option : node_options()) {
    flags.push_back({option.flag, option.flag, option.alias, option.form});
  }
  return flags;
}

Error problem(std::string message) {
  return {ErrorKind::InvalidInput, std::move(message)};
}

void add_option_flags(CLI::App& app, const std::vector<KnownFlag>& flags) {
  for (const KnownFlag& option : flags) {
    std::string names = "--" + std::string(option.flag);
    if (!option.alias.empty()) {
      names.append(",--").append(option.alias);
    }
    CLI::Option* flag = app.add_option(names);
    flag->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    // One value each time; of a boolean it may be left out and is true then.
    if (option.form == OptionForm::Boolean) {
      flag->expected(0, 1);
    } else {
      flag->expected(1);
    }
    flag->allow_extra_args(false);
  }
}

// "a,b" and "a, b" to two values; an empty text to none.
void split_list(const std::string& text, std::vector<SettingValue>& out) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    std::string_view item = rest.substr(0, comma);
    item.remove_prefix(std::min(item.find_first_not_of(' '), item.size()));
    out.push_back({std::string(item), "", false});
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
}

Setting setting_of(const KnownFlag& option, const CLI::Option& flag) {
  Setting setting;
  setting.key = option.key;
  setting.where = "--" + std::string(option.flag);
  setting.shape = option.form == OptionForm::List ? Setting::Shape::List : Setting::Shape::Scalar;
  for (const std::string& text : flag.results()) {
    if (option.form == OptionForm::List) {
      split_list(text, setting.values);
    } else if (option.form == OptionForm::Boolean && (text.empty() || text == "{}")) {
      setting.values.push_back({"true", "", false});  // CLI11's words for "no value".
    } else {
      setting.values.push_back({text, "", false});
    }
  }
  return setting;
}

// What CLI11 did not know what to do with.
void report_rest(const std::vector<std::string>& rest, const std::vector<KnownFlag>& flags,
                 std::string_view program, Problems& problems) {
  std::vector<std::string_view> known{"config", "help", "version"};
  for (const KnownFlag& option : flags) {
    known.push_back(option.flag);
  }
  bool after_flag = false;  // Then a word is most likely the unknown flag's value.
  for (const std::string& text : rest) {
    if (text.starts_with('-')) {
      const std::size_t start = std::min(text.find_first_not_of('-'), text.size());
      const std::string name = text.substr(start, text.find('=') - start);
      const std::string_view reason =
          program == "waypost-node" ? why_not_here(name) : std::string_view();
      if (!reason.empty()) {
        problems.push_back(problem(
            "--" + name + ": a flag of kube-proxy, not offered here: " + std::string(reason)));
        after_flag = text.find('=') == std::string::npos;
        continue;
      }
      const std::string_view near = nearest(name, known);
      problems.push_back(
          problem(text.substr(0, text.find('=')) + ": found an unknown flag, expected " +
                  (near.empty() ? "one that '" + std::string(program) + " --help' lists"
                                : "perhaps '--" + std::string(near) + "'")));
    } else if (!after_flag) {
      problems.push_back(problem("found the argument '" + text + "', expected flags only"));
    }
    after_flag = text.starts_with('-') && text.find('=') == std::string::npos;
  }
}

void collect(const CLI::App& app, const std::vector<KnownFlag>& flags, ConfigOrigin& origin,
             Problems& problems) {
  for (const KnownFlag& option : flags) {
    const CLI::Option* flag = app.get_option("--" + std::string(option.flag));
    if (flag->count() == 0) {
      continue;
    }
    Setting setting = setting_of(option, *flag);
    if (option.form != OptionForm::List && setting.values.size() > 1) {
      problems.push_back(problem(setting.where + ": found " +
                                 std::to_string(setting.values.size()) + " values, expected one"));
      continue;
    }
    origin.flags.push_back(std::move(setting));
  }
}

// "--ttl: 1 required TEXT missing" is CLI11's way of saying that.
std::string missing_value(std::string_view message) {
  return std::string(message.substr(0, message.find(':'))) + ": found no value, expected one";
}

// CLI11 takes arguments from the back.  It knows an empty value only as an argument of its own, so
// "--static-zones=" becomes two.
std::vector<std::string> reversed(std::span<const char* const> arguments) {
  std::vector<std::string> out;
  for (auto at = arguments.rbegin(); at != arguments.rend(); ++at) {
    std::string text = *at;
    if (text.starts_with("--") && text.ends_with('=') && text.find('=') == text.size() - 1) {
      text.pop_back();
      out.emplace_back();
    }
    out.push_back(std::move(text));
  }
  return out;
}

// Runs CLI11 over the arguments; its exceptions end here.
bool run(CLI::App& app, std::span<const char* const> arguments, Problems& problems) {
  try {
    app.parse(reversed(arguments));
  } catch (const CLI::ArgumentMismatch& mismatch) {
    problems.push_back(problem(missing_value(mismatch.what())));
  } catch (const CLI::ParseError& error) {
    problems.push_back(problem(error.what()));
  }
  return problems.empty();
}

// ---- plan and explain -------------------------------------------------------------------------

CLI::App* add_rule_command(CLI::App& app, const std::string& name, bool& help) {
  CLI::App* command = app.add_subcommand(name);
  command->set_help_flag("");
  command->add_flag("-h,--help", help);
  command->allow_extras();
  for (const RuleFlag& flag : rule_flags()) {
    if (!flag.is_for_explain || name == "explain") {
      const std::string text = "--" + std::string(flag.flag);
      if (flag.form == RuleFlag::Form::Switch) {
        command->add_flag(text);  // A value only as in "--masquerade-all=false".
        continue;
      }
      CLI::Option* option = command->add_option(text);
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      option->expected(1);
      option->allow_extra_args(false);
    }
  }
  return command;
}

void collect_rule_flag(const RuleFlag& flag, const CLI::Option& option, RuleQuestion& question,
                       Problems& problems) {
  std::vector<SettingValue> values;
  for (const std::string& text : option.results()) {
    if (flag.form == RuleFlag::Form::List) {
      split_list(text, values);
    } else {
      values.push_back({text, "", false});
    }
  }
  const std::string name = "--" + std::string(flag.flag);
  if (flag.form != RuleFlag::Form::List && values.size() > 1) {
    problems.push_back(
        problem(name + ": found " + std::to_string(values.size()) + " values, expected one"));
    return;
  }
  for (const SettingValue& value : values) {
    if (auto put = flag.put(question, value.text); !put) {
      problems.push_back(with_context(std::move(put.error()), name));
    }
  }
}

void collect_rule_question(const CLI::App& command, RuleQuestion& question, Problems& problems) {
  std::vector<std::string> words;
  for (const std::string& word : command.remaining()) {
    if (word.starts_with('-')) {
      problems.push_back(
          problem(word.substr(0, word.find('=')) +
                  ": found an unknown flag, expected one that 'waypost --help' lists"));
    } else {
      words.push_back(word);
    }
  }
  std::size_t files_at = 0;
  if (command.get_name() == "explain") {
    question.packet.emplace();
    if (words.size() < 2) {
      problems.push_back(
          problem("explain: found no packet, expected SOURCE ADDRESS:PORT/PROTOCOL such as "
                  "10.244.1.5 10.96.0.10:53/udp"));
      return;
    }
    question.packet->source = words[0];
    question.packet->destination = words[1];
    files_at = 2;
  }
  for (const char* cidr : {"10.96.0.0/12", "fd00:10:96::/112"}) {  // As waypost-dns does.
    question.manifests.service_cidrs.push_back(*IpPrefix::from_text(cidr));
  }
  question.manifests.files.assign(words.begin() + static_cast<std::ptrdiff_t>(files_at),
                                  words.end());
  for (const RuleFlag& flag : rule_flags()) {
    const CLI::Option* option = command.get_option_no_throw("--" + std::string(flag.flag));
    if (option != nullptr && option->count() != 0) {
      collect_rule_flag(flag, *option, question, problems);
    }
  }
  if (question.packet && question.packet->is_through_kernel && question.packet->saved_rules) {
    problems.push_back(problem("explain: found both --kernel and --rules, expected one of them"));
  }
  if (question.manifests.files.empty() == question.manifests.folder.empty()) {
    problems.push_back(problem(command.get_name() +
                               ": expected either files with manifests or --manifests FOLDER"));
  }
}

std::expected<CommandLine, Problems> parse_server_command_line(
    std::span<const char* const> arguments, const std::vector<KnownFlag>& flags,
    std::string_view program, std::string (*help_text)()) {
  CLI::App app;
  app.set_help_flag("");
  app.allow_extras();
  bool help = false;
  bool version = false;
  std::string file;
  app.add_flag("-h,--help", help);
  app.add_flag("--version", version);
  const CLI::Option* config = app.add_option("--config", file);
  add_option_flags(app, flags);

  Problems problems;
  ConfigOrigin origin;
  if (run(app, arguments, problems)) {
    if (help) {
      return PrintText{help_text()};
    }
    if (version) {
      return PrintText{std::string(program) + " " + std::string(Version) + "\n"};
    }
    report_rest(app.remaining(), flags, program, problems);
    collect(app, flags, origin, problems);
    if (config->count() != 0) {
      origin.file = file;
    }
  }
  if (!problems.empty()) {
    return std::unexpected(std::move(problems));
  }
  return origin;
}

}  // namespace

std::expected<CommandLine, Problems> parse_dns_command_line(
    std::span<const char* const> arguments) {
  return parse_server_command_line(arguments, dns_flags(), "waypost-dns", dns_help);
}

std::expected<CommandLine, Problems> parse_node_command_line(
    std::span<const char* const> arguments) {
  return parse_server_command_line(arguments, node_flags(), "waypost-node", node_help);
}

std::expected<CommandFlags, Problems> parse_command_flags(std::span<const char* const> arguments,
                                                          std::string_view command,
                                                          std::string_view usage,
                                                          std::span<const CommandFlag> flags) {
  CLI::App app;
  app.set_help_flag("");
  app.allow_extras();
  bool help = false;
  app.add_flag("-h,--help", help);
  std::vector<KnownFlag> known;
  for (const CommandFlag& flag : flags) {
    known.push_back({flag.flag, flag.flag, {}, flag.form});
  }
  add_option_flags(app, known);

  Problems problems;
  ConfigOrigin given;
  if (run(app, arguments, problems)) {
    if (help) {
      return PrintText{command_help(usage, flags)};
    }
    report_rest(app.remaining(), known, "waypost " + std::string(command), problems);
    collect(app, known, given, problems);
  }
  if (!problems.empty()) {
    return std::unexpected(std::move(problems));
  }
  return std::move(given.flags);
}

std::expected<ToolCommandLine, Problems> parse_tool_command_line(
    std::span<const char* const> arguments) {
  CLI::App app;
  app.set_help_flag("");
  bool help = false;
  bool version = false;
  app.add_flag("-h,--help", help);
  app.add_flag("--version", version);
  CLI::App* check = app.add_subcommand("check-config");
  check->set_help_flag("");
  check->allow_extras();
  std::string file;
  check->add_flag("-h,--help", help);
  const CLI::Option* file_option = check->add_option("FILE", file);
  const std::vector<KnownFlag> flags = dns_flags();
  add_option_flags(*check, flags);
  CLI::App* plan = add_rule_command(app, "plan", help);
  CLI::App* explain = add_rule_command(app, "explain", help);

  Problems problems;
  ConfigOrigin origin;
  RuleQuestion question;
  if (run(app, arguments, problems)) {
    if (help) {
      return PrintText{tool_help()};
    }
    if (version) {
      return PrintText{"waypost " + std::string(Version) + "\n"};
    }
    if (plan->parsed() || explain->parsed()) {
      collect_rule_question(plan->parsed() ? *plan : *explain, question, problems);
    } else if (!check->parsed()) {
      problems.push_back(problem(
          "found no command, expected 'waypost check-config FILE', 'waypost plan FILE...' or "
          "'waypost explain SOURCE ADDRESS:PORT/PROTOCOL FILE...'"));
    } else {
      if (file_option->count() == 0) {
        problems.push_back(
            problem("check-config: found no file, expected 'waypost check-config FILE'"));
      }
      origin.file = file;
      report_rest(check->remaining(), flags, "waypost-dns", problems);
      collect(*check, flags, origin, problems);
    }
  }
  if (!problems.empty()) {
    return std::unexpected(std::move(problems));
  }
  if (check->parsed()) {
    return origin;
  }
  return question;
}

}  // namespace waypost::ops
