// `waypost inject`: resolver settings and Service variables written into manifests.
//
// Not here: how (node/injection.h).

#pragma once

#include "ops/flags.h"
#include "ops/pod_commands.h"

#include <span>

namespace waypost::ops {

// In the order of --help and of docs/resolv-conf.md.
std::span<const CommandFlag> inject_flags() noexcept;

CommandOutput run_inject(std::span<const char* const> arguments);

}  // namespace waypost::ops
