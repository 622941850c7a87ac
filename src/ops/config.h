// What an operator may choose, from a YAML file and from flags, checked and in the rooms' own
// terms.
//
// Both ways of saying a value become a Setting: a key with texts and the place where they stand.
// One table (ops/option_table.h) says what each key means; interpret() turns settings into a Config
// or into every problem that they have.  A flag wins over the file, the file over the default.
//
// Not here: YAML (ops/config_reader.h), the command line (ops/flags.h), acting on a change
// (ops/life_cycle.h).

#pragma once

#include "base/error.h"
#include "base/log.h"
#include "ops/families.h"
#include "ops/forwarding.h"
#include "ops/host_searches.h"
#include "ops/status_server.h"
#include "policy/policy.h"
#include "records/options.h"
#include "server/query_log.h"
#include "server/responder.h"
#include "server/server.h"
#include "sources/manifest_source.h"

#include <chrono>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::ops {

// One value of a setting, and the place that a complaint about it names.
struct SettingValue {
  std::string text;
  std::string where;    // "waypost.yaml:3", or empty for a flag.
  bool quoted = false;  // Written in quotes, so that it is text even when it looks like a number.
};

// One key as the operator gave it.
struct Setting {
  enum class Shape : std::uint8_t { Nothing, Scalar, List, Map };
  std::string key;
  std::string where;  // "waypost.yaml:3: ttl" or "--ttl": what messages begin with.
  Shape shape = Shape::Scalar;
  std::vector<SettingValue> values;  // One for a scalar.
  std::filesystem::path folder;      // What relative paths in the values start from.
};

using Problems = std::vector<Error>;

// An option's key and its value as text, for people and for comparison.
struct ShownValue {
  std::string_view key;
  std::string text;

  friend bool operator==(const ShownValue&, const ShownValue&) = default;
};

// Which API server objects come from.  All empty: that of the cluster that this process runs in.
struct ApiConfig {
  std::filesystem::path kubeconfig;
  std::string context;  // Of the kubeconfig; empty: its current one.
  std::string server;   // A URL, instead of the kubeconfig's or alone.
};

// Names and addresses besides zones.
struct HostConfig {
  std::vector<std::filesystem::path> files;  // Absolute; perhaps not there yet.
  policy::HostLines lines;                   // Of the configuration itself.
  policy::HostOptions options;

  bool is_on() const noexcept {
    return !files.empty() || !lines.entries.empty() || !options.zones.empty();
  }
};

// A plain value, complete: nothing in it is optional any more except where said.
struct Config {
  server::Options server;
  // Its cookie_secret is set only with cookie_secret_file, `unusable` never.
  server::AnswerPolicy policy;
  policy::Options rules;
  HostConfig hosts;
  Families families = Families::Both;
  records::Options records;            // Without own_addresses, which depend on the host.
  sources::ManifestOptions manifests;  // Without a folder, objects come from the API server.
  ApiConfig api;
  StatusListen status;
  ForwardConfig forward;
  CompletionConfig completion;
  std::filesystem::path snapshot;            // Empty: none is kept.
  std::chrono::milliseconds max_data_age{};  // 0: data of any age is good.
  std::vector<std::filesystem::path> static_zones;
  bool built_in_zones = true;
  std::chrono::milliseconds lameduck{};      // How long it answers after SIGTERM, at most.
  std::filesystem::path takeover_socket;     // Empty: nobody takes over.
  std::filesystem::path cookie_secret_file;  // Empty: the process chooses a secret.
  std::string log_level;
  log::Format log_format = log::Format::Text;
  server::QueryLogOptions query_log;
  std::vector<ShownValue> shown;  // Every option, in the table's order.

  // False: objects come from an API server.  True without a folder: there are none.
  bool is_from_manifests() const noexcept {
    return !records.is_served || !manifests.folder.empty();
  }
};

// Makes a Config, or says everything that is wrong with the settings: unknown keys, wrong types,
// values out of range, values that contradict each other.  `file` first, `flags` win.  Looks at the
// file system where an option names a folder or a file.
std::expected<Config, Problems> interpret(const std::vector<Setting>& file,
                                          const std::vector<Setting>& flags);

// Reads `file`, if any, and interprets it together with `flags`.
std::expected<Config, Problems> load_config(const std::optional<std::filesystem::path>& file,
                                            const std::vector<Setting>& flags);

// The keys whose values differ, in the table's order: those that take effect at once, and those
// that need a restart.
struct ConfigChanges {
  std::vector<std::string_view> live;
  std::vector<std::string_view> at_restart;
};
ConfigChanges compare(const Config& before, const Config& after);

}  // namespace waypost::ops
