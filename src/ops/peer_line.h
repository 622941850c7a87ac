// What peers' flags say that no option of waypost-dns says: which form of configuration there is,
// and where server blocks without a port listen.
//
// Not here: which flags of peers there are (ops/peer_flags.h).

#pragma once

#include "ops/config_origin.h"

#include <optional>
#include <string>

namespace waypost::ops {

// Values of the flags that were given.
struct PeerLine {
  std::optional<std::string> conf;
  std::optional<std::string> dns_port;
  std::optional<std::string> config_dir;
  std::optional<std::string> v;
};

// Puts what `line` says into `to`, which has the other flags and --config already.
void collect_peers(const PeerLine& line, ConfigOrigin& to, Problems& problems);

}  // namespace waypost::ops
