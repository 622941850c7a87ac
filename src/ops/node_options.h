// Every option of waypost-node: its flag, its key in a KubeProxyConfiguration, what it accepts, its
// default, what it does.  The table drives both, --help, and docs/waypost-node.md (a test
// compares).

#pragma once

#include "ops/node_config.h"
#include "ops/option_table.h"

#include <span>
#include <string>
#include <string_view>

namespace waypost::ops {

struct NodeOption {
  std::string_view flag;   // Without dashes.
  std::string_view alias;  // kube-proxy's flag where ours is another; may be empty.
  std::string_view key;    // "iptables.masqueradeBit"; empty: flag only.
  OptionForm form;
  std::string_view value_name;
  std::string_view expected;       // Completes "found X, expected …".
  std::string_view default_value;  // Put before anything else; a list's are separated by ", ".
  std::string_view default_words;  // Says the default where `default_value` cannot.
  std::string_view help;
  // Puts one value; a list's come one by one.  A failure's message says what is special about it,
  // or is empty when `expected` says it all.
  Result<void> (*put)(NodeConfig& config, const std::string& text);
  // Whether a duration of 0 in the file means the default, as it does to kube-proxy.  Of other
  // numbers it defaults only those that are null (SetDefaults_KubeProxyConfiguration).
  bool is_zero_unset = false;
  // Whether an empty text as its flag is as none, as it is to kube-proxy.  In a file it always is.
  bool is_empty_flag_unset = false;

  std::string_view shown_default() const noexcept {
    return !default_words.empty() ? default_words : !default_value.empty() ? default_value : "none";
  }
};

// In the order of documentation.
std::span<const NodeOption> node_options() noexcept;

// Whether `key` stands for a map of keys of which some are above, such as "iptables".
bool is_group_of_keys(std::string_view key) noexcept;

// By flag, or by key when `is_key`; null when there is none.
const NodeOption* find_node_option(std::string_view name, bool is_key) noexcept;

// Whether the key of kube-proxy, which has no meaning here, asks for something when it is 0, too.
bool is_zero_asked(std::string_view key) noexcept;

// Whether `flag` is one of kube-proxy's that has no meaning here; why, or empty.
std::string_view why_not_here(std::string_view name) noexcept;

}  // namespace waypost::ops
