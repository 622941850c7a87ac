#include "ops/peer_line.h"

#include "ops/text.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <utility>

namespace waypost::ops {
namespace {

Error problem(std::string message) {
  return {ErrorKind::InvalidInput, std::move(message)};
}

bool has(const ConfigOrigin& origin, std::string_view key) {
  return std::any_of(origin.flags.begin(), origin.flags.end(),
                     [&](const Setting& setting) { return setting.key == key; });
}

}  // namespace

PeerLine::PeerLine(CLI::App& app) {
  app.add_flag("--plugins", plugins_);
  app.add_flag("--quiet", quiet_);
  conf_ = app.add_option("--conf", file_);
  dns_port_ = app.add_option("--dns-port", port_);
  config_dir_ = app.add_option("--config-dir", folder_);
  v_ = app.add_option("--v", verbosity_);
}

void PeerLine::collect(ConfigOrigin& to, Problems& problems) const {
  to.is_quiet = quiet_;
  collect_verbosity(to, problems);
  collect_file(to, problems);
  collect_port(to, problems);
}

void PeerLine::collect_file(ConfigOrigin& to, Problems& problems) const {
  if (config_dir_->count() != 0) {
    if (to.file || conf_->count() != 0) {
      problems.push_back(
          problem("-config-dir: found together with --config or -conf, expected one of them"));
    }
    to.file = folder_;
    to.form = ConfigForm::KubeDns;
  } else if (conf_->count() != 0) {
    if (to.file) {
      problems.push_back(problem("-conf: found together with --config, expected one of them"));
    }
    to.file = file_;
    to.form = ConfigForm::Corefile;
  }
}

void PeerLine::collect_port(ConfigOrigin& to, Problems& problems) const {
  if (dns_port_->count() == 0) {
    return;
  }
  const auto number = number_from_text(port_);
  if (!number || *number > 65535) {
    problems.push_back(
        problem("-dns.port: found '" + port_ + "', expected a port number up to 65535"));
    return;
  }
  to.port = static_cast<std::uint16_t>(*number);
  const bool has_own_port = to.file && to.form != ConfigForm::KubeDns;
  if (!has_own_port && !has(to, "listen")) {
    Setting listen{.key = "listen", .where = "-dns.port", .shape = Setting::Shape::List};
    listen.values = {{"0.0.0.0:" + port_, "", false}, {"[::]:" + port_, "", false}};
    to.flags.push_back(std::move(listen));
  } else if (to.form != ConfigForm::Corefile) {
    problems.push_back(
        problem("-dns.port: found together with --listen or --config, expected the port there"));
  }
}

// Of glog: what 4 and more would tell is what `debug` tells.
void PeerLine::collect_verbosity(ConfigOrigin& to, Problems& problems) const {
  if (v_->count() == 0) {
    return;
  }
  const auto number = number_from_text(verbosity_);
  if (!number) {
    problems.push_back(problem("-v: found '" + verbosity_ + "', expected a whole number"));
  } else if (*number >= 4 && !has(to, "logLevel")) {
    Setting level{.key = "logLevel", .where = "-v"};
    level.values.push_back({"debug", "", false});
    to.flags.push_back(std::move(level));
  }
}

}  // namespace waypost::ops
