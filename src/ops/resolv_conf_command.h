// `waypost resolv-conf`: the resolver file of a Pod, printed or put in its place.
//
// Not here: the rules (node/pod_dns.h), editing files (base/file_edit.h).

#pragma once

#include "ops/flags.h"
#include "ops/pod_commands.h"

#include <span>

namespace waypost::ops {

// In the order of --help and of docs/resolv-conf.md.
std::span<const CommandFlag> resolv_conf_flags() noexcept;

CommandOutput run_resolv_conf(std::span<const char* const> arguments);

}  // namespace waypost::ops
