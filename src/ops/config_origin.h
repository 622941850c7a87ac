// Where the configuration comes from: a file in YAML, a Corefile with what it imports, or the
// folder of kube-dns' ConfigMap, and flags.

#pragma once

#include "base/log.h"
#include "ops/config.h"

#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace waypost::ops {

enum class ConfigForm : std::uint8_t {
  Yaml,
  Corefile,
  KubeDns,  // A folder with a file for each key of the ConfigMap.
};

struct ConfigOrigin {
  std::optional<std::filesystem::path> file;
  ConfigForm form = ConfigForm::Yaml;  // What `file` is.
  std::uint16_t port = 53;             // Of a Corefile's server blocks that name none.
  std::vector<Setting> flags;
  bool is_quiet = false;    // Nothing is printed on stdout.
  bool takes_over = false;  // From the process that listens at takeoverSocket.
};

// What was read, so that a change of it can be seen.
struct ConfigText {
  std::string text;                            // Of all files, also those that had mistakes.
  std::vector<std::filesystem::path> folders;  // That hold them.

  friend bool operator==(const ConfigText&, const ConfigText&) = default;
};
ConfigText read_config_text(const ConfigOrigin& origin);

// How lines are to look before the configuration is known, and if it never is: as the last flag
// says, or else a file in YAML, as far as that can be read; as text otherwise.  For the programs
// with both kinds of flags.
log::Format early_log_format(const ConfigOrigin& origin);

// Reads and interprets everything.  A note is something that an operator should know about a
// Corefile that is not quite what CoreDNS would do.
struct LoadedConfig {
  Config config;
  std::vector<std::string> notes;
};
std::expected<LoadedConfig, Problems> load_config(const ConfigOrigin& origin);

// The configuration file that says what a Corefile says, or a ConfigMap of coredns or kube-dns
// (FILE.yaml, FILE.yml, FILE.json), with notes about it as comments on top.  What it names is
// looked for, as load_config() does.
std::expected<std::string, Problems> convert_corefile(const std::filesystem::path& file);

}  // namespace waypost::ops
