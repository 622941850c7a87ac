// Flags of CoreDNS, kube-dns and node-cache, so that programs can take their place in a
// manifest: those that mean something here become its own, the others are refused by name.

#pragma once

#include "ops/config.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::ops {

struct PeerFlag {
  std::string_view flag;     // Without dashes; one or two are taken.
  std::string_view program;  // "CoreDNS"
  std::string_view own;      // The flag of waypost-dns that it becomes; empty: refused.
  std::string_view text;     // What it does here, or what to use instead.
  // Of a flag that is refused: the value that is what happens here anyway.  Without a value a flag
  // is "true".
  std::string_view always = {};
};

// In the order of documentation.
std::span<const PeerFlag> peer_flags() noexcept;

// The arguments with peers' flags written as ours.  Problems name the flags that are refused.
std::vector<std::string> with_own_flags(std::span<const char* const> arguments, Problems& problems);

// The arguments of waypost-node without node-cache's, which is a program of another kind.  Problems
// name them, and what to use instead.
std::vector<const char*> without_node_cache_flags(std::span<const char* const> arguments,
                                                  Problems& problems);

}  // namespace waypost::ops
