// The door to CLI11: command lines of the programs.
//
// Flags become settings (ops/config.h) and are judged there, together with the file's.  --help is
// written from the option table, so that it is complete and states the true defaults.

#pragma once

#include "base/ip_address.h"
#include "ops/config_origin.h"
#include "ops/control_client.h"
#include "ops/option_table.h"
#include "ops/rule_report.h"

#include <expected>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace waypost::ops {

// "--help" and "--version": print `text` on stdout and exit with 0.
struct PrintText {
  std::string text;
};

// "convert-corefile": print the configuration file that says the same.
struct Conversion {
  std::filesystem::path file;
};

// "check-node-config": say what waypost-node would do with these.
struct NodeCheck {
  ConfigOrigin node;
};

// plan or explain: what waypost-node would be given, and what is asked.
struct RuleCommand {
  ConfigOrigin node;
  std::vector<std::filesystem::path> files;  // Manifests; empty: where waypost-node has them from.
  std::vector<IpAddress> node_addresses;
  std::optional<PacketQuestion> packet;  // Of explain.
};

using CommandLine = std::variant<PrintText, ConfigOrigin>;
using ToolCommandLine =
    std::variant<PrintText, ConfigOrigin, NodeCheck, FlushRequest, RuleCommand, Conversion>;

// Reads the arguments of waypost-dns, without the program's name, those of its peers among them
// (ops/peer_flags.h).  Problems are about flags as such: unknown ones, values missing, one given
// twice.
std::expected<CommandLine, Problems> parse_dns_command_line(std::span<const char* const> arguments);

// The same for waypost-node; its settings are judged by ops/node_config.h.
std::expected<CommandLine, Problems> parse_node_command_line(
    std::span<const char* const> arguments);

// Reads those of waypost: "check-config FILE [flags of waypost-dns]", "check-node-config [flags of
// waypost-node]", "convert-corefile FILE", "plan [FILE...]" and "explain SOURCE DESTINATION
// [FILE...]" with the flags of waypost-node, "flush NAME" and "flush --zone ZONE".
std::expected<ToolCommandLine, Problems> parse_tool_command_line(
    std::span<const char* const> arguments);

// A flag of one command of waypost.
struct CommandFlag {
  std::string_view flag;  // Without dashes.
  OptionForm form;
  std::string_view value_name;  // For --help: "FILE".
  std::string_view expected;    // Completes "found X, expected ...", and says what --help says.
  std::string_view shown_default;
  std::string_view help;
};

using CommandFlags = std::variant<PrintText, std::vector<Setting>>;

// Reads what stands behind the name of `command`, flags only.  `usage` is what --help begins with;
// the flags follow.  A setting's key is its flag; of others than lists it has one value.
std::expected<CommandFlags, Problems> parse_command_flags(std::span<const char* const> arguments,
                                                          std::string_view command,
                                                          std::string_view usage,
                                                          std::span<const CommandFlag> flags);

}  // namespace waypost::ops
