#include "ops/peer_line.h"

#include "ops/text.h"

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

void collect_file(const PeerLine& line, ConfigOrigin& to, Problems& problems) {
  if (line.config_dir) {
    if (to.file || line.conf) {
      problems.push_back(
          problem("-config-dir: found together with --config or -conf, expected one of them"));
    }
    to.file = *line.config_dir;
    to.form = ConfigForm::KubeDns;
  } else if (line.conf) {
    if (to.file) {
      problems.push_back(problem("-conf: found together with --config, expected one of them"));
    }
    to.file = *line.conf;
    to.form = ConfigForm::Corefile;
  }
}

void collect_port(const PeerLine& line, ConfigOrigin& to, Problems& problems) {
  if (!line.dns_port) {
    return;
  }
  const auto number = number_from_text(*line.dns_port);
  if (!number || *number > 65535) {
    problems.push_back(
        problem("-dns.port: found '" + *line.dns_port + "', expected a port number up to 65535"));
    return;
  }
  to.port = static_cast<std::uint16_t>(*number);
  const bool has_own_port = to.file && to.form != ConfigForm::KubeDns;
  if (!has_own_port && !has(to, "listen")) {
    Setting listen{.key = "listen", .where = "-dns.port", .shape = Setting::Shape::List};
    listen.values = {{"0.0.0.0:" + *line.dns_port, "", false},
                     {"[::]:" + *line.dns_port, "", false}};
    to.flags.push_back(std::move(listen));
  } else if (to.form != ConfigForm::Corefile) {
    problems.push_back(
        problem("-dns.port: found together with --listen or --config, expected the port there"));
  }
}

// Of glog: what 4 and more would tell is what `debug` tells.
void collect_verbosity(const PeerLine& line, ConfigOrigin& to, Problems& problems) {
  if (!line.v) {
    return;
  }
  const auto number = number_from_text(*line.v);
  if (!number) {
    problems.push_back(problem("-v: found '" + *line.v + "', expected a whole number"));
  } else if (*number >= 4 && !has(to, "logLevel")) {
    Setting level{.key = "logLevel", .where = "-v"};
    level.values.push_back({"debug", "", false});
    to.flags.push_back(std::move(level));
  }
}

}  // namespace

void collect_peers(const PeerLine& line, ConfigOrigin& to, Problems& problems) {
  collect_verbosity(line, to, problems);
  collect_file(line, to, problems);
  collect_port(line, to, problems);
}

}  // namespace waypost::ops
