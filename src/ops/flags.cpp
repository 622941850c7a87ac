#include "ops/flags.h"

#include "ops/corefile_options.h"
#include "ops/help.h"
#include "ops/node_options.h"
#include "ops/option_table.h"
#include "ops/peer_flags.h"
#include "ops/peer_line.h"
#include "ops/pod_commands.h"
#include "ops/text.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace waypost::ops {
namespace {

constexpr std::string_view Version = WAYPOST_VERSION;

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

// Where words stand for themselves (`has_words`), a boolean's value is one only behind a '='.
void add_option_flags(CLI::App& app, const std::vector<KnownFlag>& flags, bool has_words = false) {
  for (const KnownFlag& option : flags) {
    std::string names = "--" + std::string(option.flag);
    if (!option.alias.empty()) {
      names.append(",--").append(option.alias);
    }
    if (has_words && option.form == OptionForm::Boolean) {
      app.add_flag(names)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      continue;
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
      std::string_view near = nearest(name, known);
      if (near == name) {
        near = {};  // Known to the program, but not in this place.
      }
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

// CLI11 says "--ttl: 1 required TEXT missing", and "--config: At Most 1 required but received 2".
std::string mismatch_of(std::string_view message) {
  static constexpr std::string_view Received = "but received ";
  const std::size_t received = message.rfind(Received);
  return fmt::format("{}: found {}, expected one", message.substr(0, message.find(':')),
                     received == std::string_view::npos
                         ? "no value"
                         : fmt::format("{} values", message.substr(received + Received.size())));
}

// CLI11 takes arguments from the back.  It knows an empty value only as an argument of its own, so
// "--static-zones=" becomes two.
std::vector<std::string> reversed(std::span<const std::string> arguments) {
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
bool run(CLI::App& app, std::span<const std::string> arguments, Problems& problems) {
  try {
    app.parse(reversed(arguments));
  } catch (const CLI::ArgumentMismatch& mismatch) {
    problems.push_back(problem(mismatch_of(mismatch.what())));
  } catch (const CLI::ParseError& error) {
    problems.push_back(problem(error.what()));
  }
  return problems.empty();
}

// The same of arguments as they come.
bool run(CLI::App& app, std::span<const char* const> arguments, Problems& problems) {
  return run(app, std::vector<std::string>(arguments.begin(), arguments.end()), problems);
}

// ---- plan and explain -------------------------------------------------------------------------

// Those of waypost-node that say what it does while it runs, as its file may say most of them.
std::vector<KnownFlag> running_flags() {
  std::vector<KnownFlag> flags = node_flags();
  std::erase_if(flags, [](const KnownFlag& flag) { return flag.flag == "cleanup"; });
  return flags;
}

// What each of waypost's subcommands takes, and answers instead of doing anything.
struct Asked {
  bool help = false;
  bool version = false;

  void add_to(CLI::App& command) {
    command.set_help_flag("");
    command.add_flag("-h,--help", help);
    command.add_flag("--version", version);
  }
};

PrintText version_of_tool() {
  return {"waypost " + std::string(Version) + "\n"};
}

// One of the subcommands plan and explain.
class RuleCommandLine {
 public:
  RuleCommandLine(CLI::App& app, std::string name, Asked& asked);

  bool is_given() const { return command_->parsed(); }
  RuleCommand read(Problems& problems) const;

 private:
  bool has(std::string_view flag) const {
    const CLI::Option* option = command_->get_option_no_throw("--" + std::string(flag));
    return option != nullptr && option->count() != 0;
  }
  std::optional<std::string> value(std::string_view flag, Problems& problems) const;
  void read_packet(const std::vector<std::string>& words, RuleCommand& to,
                   Problems& problems) const;
  void read_addresses(RuleCommand& to, Problems& problems) const;
  void check_source(const RuleCommand& command, Problems& problems) const;

  CLI::App* command_;
  std::string name_;
  std::vector<KnownFlag> flags_ = running_flags();
};

RuleCommandLine::RuleCommandLine(CLI::App& app, std::string name, Asked& asked)
    : command_(app.add_subcommand(name)), name_(std::move(name)) {
  asked.add_to(*command_);
  command_->allow_extras();
  add_option_flags(*command_, flags_, true);
  command_->add_option("--config")->expected(1)->allow_extra_args(false);
  for (const RuleFlag& flag : rule_flag_table()) {
    if (flag.is_for_explain && name_ != "explain") {
      continue;
    }
    const std::string text = "--" + std::string(flag.flag);
    if (flag.value_name.empty()) {
      command_->add_flag(text);
    } else {
      CLI::Option* option = command_->add_option(text);
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      option->expected(1)->allow_extra_args(false);
    }
  }
}

std::optional<std::string> RuleCommandLine::value(std::string_view flag, Problems& problems) const {
  if (!has(flag)) {
    return std::nullopt;
  }
  const auto& values = command_->get_option("--" + std::string(flag))->results();
  if (values.size() > 1) {
    problems.push_back(problem("--" + std::string(flag) + ": found " +
                               std::to_string(values.size()) + " values, expected one"));
  }
  return values.front();
}

void RuleCommandLine::read_packet(const std::vector<std::string>& words, RuleCommand& to,
                                  Problems& problems) const {
  if (words.size() < 2) {
    problems.push_back(
        problem("explain: found no packet, expected SOURCE ADDRESS:PORT/PROTOCOL such as "
                "10.244.1.5 10.96.0.10:53/udp"));
    return;
  }
  PacketQuestion& packet = to.packet.emplace();
  packet.source = words[0];
  packet.destination = words[1];
  packet.interface = value("interface", problems).value_or("");
  packet.saved_rules = value("rules", problems);
  packet.is_through_kernel = has("kernel");
  if (packet.is_through_kernel && packet.saved_rules) {
    problems.push_back(problem("explain: found both --kernel and --rules, expected one of them"));
  }
}

void RuleCommandLine::read_addresses(RuleCommand& to, Problems& problems) const {
  if (!has("node-addresses")) {
    return;
  }
  std::vector<SettingValue> values;
  for (const std::string& text : command_->get_option("--node-addresses")->results()) {
    split_list(text, values);
  }
  for (const SettingValue& value : values) {
    if (const auto address = IpAddress::from_text(value.text)) {
      to.node_addresses.push_back(*address);
    } else {
      problems.push_back(
          problem("--node-addresses: found '" + value.text + "', expected an IP address"));
    }
  }
  if (values.empty()) {
    problems.push_back(problem("--node-addresses: found no address, expected at least one"));
  }
}

void RuleCommandLine::check_source(const RuleCommand& command, Problems& problems) const {
  const auto has_flag = [&](std::string_view key) {
    return std::any_of(command.node.flags.begin(), command.node.flags.end(),
                       [&](const Setting& flag) { return flag.key == key; });
  };
  for (const char* flag : {"manifests", "kubeconfig", "api-server"}) {
    if (!command.files.empty() && has_flag(flag)) {
      problems.push_back(
          problem(name_ + ": found both files and --" + flag + ", expected one of them"));
    }
  }
}

RuleCommand RuleCommandLine::read(Problems& problems) const {
  RuleCommand command;
  std::vector<std::string> words;
  std::vector<std::string> rest;
  for (const std::string& word : command_->remaining()) {
    (word.starts_with('-') ? rest : words).push_back(word);
  }
  report_rest(rest, flags_, "waypost-node", problems);
  collect(*command_, flags_, command.node, problems);
  if (const auto file = value("config", problems)) {
    command.node.file = *file;
  }
  std::size_t files_at = 0;
  if (name_ == "explain") {
    read_packet(words, command, problems);
    files_at = std::min<std::size_t>(2, words.size());
  }
  command.files.assign(words.begin() + static_cast<std::ptrdiff_t>(files_at), words.end());
  read_addresses(command, problems);
  check_source(command, problems);
  return command;
}

// ---- check-node-config ------------------------------------------------------------------------

// Reads the flags of waypost-node as it reads them itself.
class NodeCheckLine {
 public:
  NodeCheckLine(CLI::App& app, Asked& asked) : command_(app.add_subcommand("check-node-config")) {
    asked.add_to(*command_);
    command_->allow_extras();
    add_option_flags(*command_, flags_);
    config_ = command_->add_option("--config", file_);
  }

  bool is_given() const { return command_->parsed(); }
  NodeCheck read(Problems& problems) const {
    NodeCheck check;
    report_rest(command_->remaining(), flags_, "waypost-node", problems);
    collect(*command_, flags_, check.node, problems);
    if (config_->count() != 0) {
      check.node.file = file_;
    }
    return check;
  }

 private:
  CLI::App* command_;
  std::vector<KnownFlag> flags_ = running_flags();
  std::string file_;
  const CLI::Option* config_ = nullptr;
};

// ---- flush ------------------------------------------------------------------------------------

struct FlushWords {
  std::string control = "127.0.0.1:9154";
  std::string name;
  std::string zone;
};

CLI::App* add_flush_command(CLI::App& app, FlushWords& words, Asked& asked) {
  CLI::App* command = app.add_subcommand("flush");
  asked.add_to(*command);
  command->add_option("--control", words.control);
  command->add_option("--zone", words.zone);
  command->add_option("NAME", words.name);
  return command;
}

FlushRequest flush_request(const FlushWords& words, Problems& problems) {
  FlushRequest request;
  const auto control = SocketAddress::from_text(words.control);
  if (!control) {
    problems.push_back(problem("--control: found '" + words.control +
                               "', expected ADDRESS:PORT such as 127.0.0.1:9154"));
  } else {
    request.control = *control;
  }
  if (words.name.empty() == words.zone.empty()) {
    problems.push_back(
        problem("flush: expected either 'waypost flush NAME' or 'waypost flush --zone ZONE'"));
  }
  request.is_zone = !words.zone.empty();
  request.name = request.is_zone ? words.zone : words.name;
  return request;
}

// The flags that both servers have.
struct ServerLine {
  bool help = false;
  bool version = false;
  std::string file;
  const CLI::Option* config = nullptr;

  explicit ServerLine(CLI::App& app) {
    app.set_help_flag("");
    app.allow_extras();
    app.add_flag("-h,--help", help);
    app.add_flag("--version", version);
    config = app.add_option("--config", file);
  }
};

// Those of peers that are no setting (ops/peer_line.h).
struct PeerOptions {
  bool plugins = false;
  bool quiet = false;
  const CLI::Option* conf;
  const CLI::Option* dns_port;
  const CLI::Option* config_dir;
  const CLI::Option* v;

  explicit PeerOptions(CLI::App& app)
      : conf(add_to(app, "--conf")),
        dns_port(add_to(app, "--dns-port")),
        config_dir(add_to(app, "--config-dir")),
        v(add_to(app, "--v")) {
    app.add_flag("--plugins", plugins);
    app.add_flag("--quiet", quiet);
  }

  // By the names that peers have for them.
  PeerLine line(Problems& problems) const {
    return {value("-conf", *conf, problems), value("-dns.port", *dns_port, problems),
            value("-config-dir", *config_dir, problems), value("-v", *v, problems)};
  }

 private:
  static CLI::Option* add_to(CLI::App& app, const char* name) {
    return app.add_option(name)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->expected(1)
        ->allow_extra_args(false);
  }

  static std::optional<std::string> value(std::string_view name, const CLI::Option& option,
                                          Problems& problems) {
    if (option.count() == 0) {
      return std::nullopt;
    }
    if (option.count() > 1) {
      problems.push_back(
          problem(fmt::format("{}: found {} values, expected one", name, option.count())));
    }
    return option.results().front();
  }
};

std::string list_directives() {
  std::string text;
  for (const Directive& directive : directives()) {
    if (directive.fate != Fate::Refused) {
      text.append(directive.option.empty() ? "" : "  ")
          .append(directive.option.empty() ? directive.name : directive.option)
          .append("\n");
    }
  }
  return text;
}

}  // namespace

std::expected<CommandLine, Problems> parse_dns_command_line(
    std::span<const char* const> arguments) {
  CLI::App app;
  ServerLine server(app);
  PeerOptions peers(app);
  bool takes_over = false;
  app.add_flag("--takeover", takes_over);
  const std::vector<KnownFlag> flags = dns_flags();
  add_option_flags(app, flags);

  Problems problems;
  ConfigOrigin origin;
  const std::vector<std::string> own = with_own_flags(arguments, problems);
  if (run(app, own, problems)) {
    if (server.help || server.version || peers.plugins) {
      return PrintText{server.help      ? dns_help()
                       : server.version ? "waypost-dns " + std::string(Version) + "\n"
                                        : list_directives()};
    }
    report_rest(app.remaining(), flags, "waypost-dns", problems);
    collect(app, flags, origin, problems);
    if (server.config->count() != 0) {
      origin.file = server.file;
    }
    origin.is_quiet = peers.quiet;
    collect_peers(peers.line(problems), origin, problems);
    origin.takes_over = takes_over;
  }
  if (!problems.empty()) {
    return std::unexpected(std::move(problems));
  }
  return origin;
}

std::expected<CommandLine, Problems> parse_node_command_line(
    std::span<const char* const> arguments) {
  CLI::App app;
  ServerLine server(app);
  const std::vector<KnownFlag> flags = node_flags();
  add_option_flags(app, flags);

  Problems problems;
  ConfigOrigin origin;
  const std::vector<const char*> own = without_node_cache_flags(arguments, problems);
  if (run(app, std::span<const char* const>(own), problems)) {
    if (server.help || server.version) {
      return PrintText{server.help ? node_help() : "waypost-node " + std::string(Version) + "\n"};
    }
    report_rest(app.remaining(), flags, "waypost-node", problems);
    collect(app, flags, origin, problems);
    if (server.config->count() != 0) {
      origin.file = server.file;
    }
  }
  if (!problems.empty()) {
    return std::unexpected(std::move(problems));
  }
  return origin;
}

namespace {

// In the order of --help.
std::vector<std::string_view> tool_commands() {
  std::vector<std::string_view> names = {"check-config", "check-node-config", "convert-corefile",
                                         "plan", "explain"};
  const std::vector<std::string_view> about_pods = pod_command_names();
  names.insert(names.end(), about_pods.begin(), about_pods.end());
  names.push_back("flush");
  return names;
}

std::string list_of_commands() {
  return fmt::format("{} ('waypost --help' tells what they do)", fmt::join(tool_commands(), ", "));
}

}  // namespace

std::expected<CommandFlags, Problems> parse_command_flags(std::span<const char* const> arguments,
                                                          std::string_view command,
                                                          std::string_view usage,
                                                          std::span<const CommandFlag> flags) {
  CLI::App app;
  app.allow_extras();
  Asked asked;
  asked.add_to(app);
  std::vector<KnownFlag> known;
  for (const CommandFlag& flag : flags) {
    known.push_back({flag.flag, flag.flag, {}, flag.form});
  }
  add_option_flags(app, known);

  Problems problems;
  ConfigOrigin given;
  if (run(app, arguments, problems)) {
    if (asked.help) {
      return PrintText{command_help(usage, flags)};
    }
    if (asked.version) {
      return version_of_tool();
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
  if (const std::vector<std::string_view> known = tool_commands();
      !arguments.empty() && *arguments[0] != '-' &&
      std::ranges::find(known, std::string_view(arguments[0])) == known.end()) {
    const std::string_view near = nearest(arguments[0], known);
    return std::unexpected(Problems{
        problem("found the unknown command '" + std::string(arguments[0]) + "', expected " +
                (near.empty() ? list_of_commands() : "perhaps '" + std::string(near) + "'"))});
  }
  CLI::App app;
  Asked asked;  // Written to while the line is read, as the subcommands' are.
  asked.add_to(app);
  CLI::App* check = app.add_subcommand("check-config");
  asked.add_to(*check);
  check->allow_extras();
  std::string file;
  const CLI::Option* file_option = check->add_option("FILE", file);
  const std::vector<KnownFlag> flags = dns_flags();
  add_option_flags(*check, flags);
  CLI::App* convert = app.add_subcommand("convert-corefile");
  asked.add_to(*convert);
  std::string corefile;
  const CLI::Option* corefile_option = convert->add_option("FILE", corefile);
  NodeCheckLine check_node(app, asked);
  const RuleCommandLine plan(app, "plan", asked);
  const RuleCommandLine explain(app, "explain", asked);

  FlushWords flush_words;
  const CLI::App* const flush = add_flush_command(app, flush_words, asked);

  Problems problems;
  ConfigOrigin origin;
  NodeCheck node_check;
  RuleCommand command;
  FlushRequest flush_from;
  if (run(app, arguments, problems)) {
    if (asked.help) {
      return PrintText{tool_help()};
    }
    if (asked.version) {
      return version_of_tool();
    }
    if (plan.is_given() || explain.is_given()) {
      command = (plan.is_given() ? plan : explain).read(problems);
    } else if (check_node.is_given()) {
      node_check = check_node.read(problems);
    } else if (convert->parsed()) {
      if (corefile_option->count() == 0) {
        problems.push_back(
            problem("convert-corefile: found no file, expected 'waypost convert-corefile FILE'"));
      }
    } else if (flush->parsed()) {
      flush_from = flush_request(flush_words, problems);
    } else if (!check->parsed()) {
      problems.push_back(problem("found no command, expected " + list_of_commands()));
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
  if (check_node.is_given()) {
    return node_check;
  }
  if (convert->parsed()) {
    return Conversion{corefile};
  }
  if (flush->parsed()) {
    return flush_from;
  }
  return command;
}

}  // namespace waypost::ops
