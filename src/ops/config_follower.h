// A configuration that is read again whenever its files change.
//
// What cannot be used leaves what is in force in force, and is logged once and at each reload().
//
// Not here: reading and interpreting (ops/config_origin.h, ops/node_dns_config.h).

#pragma once

#include "ops/config_origin.h"
#include "ops/folder_watch.h"
#include "ops/problem_log.h"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <utility>

namespace waypost::ops {

struct ReloadStatus {
  std::uint64_t checksum = 0;  // Of the text that was read last, good or not.
  std::uint64_t failures = 0;  // How often it was no good.
};

// Control thread only.
class ConfigFollower {
 public:
  using Load = std::function<std::expected<LoadedConfig, Problems>(const ConfigOrigin&)>;
  // Takes each configuration that is good.
  using Take = std::function<void(Config)>;

  // Follows `origin` from here on; what was read before is not read again.  `context` is borrowed
  // and outlives this object.
  ConfigFollower(boost::asio::io_context& context, ConfigOrigin origin, Load load, Take take);

  // Reads everything, changed or not, because somebody has asked for it: what is refused as before
  // is told again.
  void reload() { read(read_config_text(origin_), true); }

  // Absent when there is no file to follow.
  std::optional<ReloadStatus> status() const;

 private:
  void watch();
  void on_folder_changed();
  void read(ConfigText text, bool is_asked_for);

  boost::asio::io_context& context_;
  const ConfigOrigin origin_;
  const Load load_;
  const Take take_;
  ConfigText text_;  // When the files were last read.
  ProblemLog problems_{"configuration"};
  std::uint64_t failures_ = 0;
  std::optional<FolderWatch> watch_;
};

// Of what changed between `before` and `after`, says in the log what is in force now and what waits
// for a restart, compared with what was in force at `started`.
void report_changes(const Config& started, const Config& before, const Config& after);

}  // namespace waypost::ops
