// What --help prints, written from the tables of options, so that it is complete and states the
// true defaults.

#pragma once

#include "ops/flags.h"

#include <span>
#include <string>
#include <string_view>

namespace waypost::ops {

// Flags of plan and explain that waypost-node does not have.
struct RuleFlag {
  std::string_view flag;
  std::string_view value_name;  // Empty for a switch.
  bool is_for_explain;          // Only.
  std::string_view help;
};
std::span<const RuleFlag> rule_flag_table() noexcept;

std::string dns_help();
std::string node_help();
std::string tool_help();
// Of one command of waypost: its usage, then its flags.
std::string command_help(std::string_view usage, std::span<const CommandFlag> flags);

}  // namespace waypost::ops
