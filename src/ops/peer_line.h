// What peers' flags say that no option of waypost-dns says: which form of configuration there is,
// and where server blocks without a port listen.
//
// Not here: which flags of peers there are (ops/peer_flags.h).

#pragma once

#include "ops/config_origin.h"

#include <string>
#include <string_view>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace waypost::ops {

// Adds its flags to an application, which it has to outlive while the line is read.
class PeerLine {
 public:
  explicit PeerLine(CLI::App& app);

  // Puts what was read into `to`, which has the other flags and --config already.
  void collect(ConfigOrigin& to, Problems& problems) const;

  bool wants_directives() const noexcept { return plugins_; }

 private:
  void collect_file(ConfigOrigin& to, Problems& problems) const;
  void collect_port(ConfigOrigin& to, Problems& problems) const;
  void collect_verbosity(ConfigOrigin& to, Problems& problems) const;

  bool plugins_ = false;
  bool quiet_ = false;
  std::string file_;
  std::string port_;
  std::string folder_;
  std::string verbosity_;
  const CLI::Option* conf_;
  const CLI::Option* dns_port_;
  const CLI::Option* config_dir_;
  const CLI::Option* v_;
};

}  // namespace waypost::ops
