// `waypost env`: the variables of Services that a container started now would get.
//
// Not here: the rules (node/service_environment.h), reading Services (ops/service_lookup.h).

#pragma once

#include "ops/flags.h"
#include "ops/pod_commands.h"
#include "ops/service_lookup.h"

#include <span>
#include <string>

namespace waypost::ops {

// In the order of --help and of docs/resolv-conf.md.
std::span<const CommandFlag> env_flags() noexcept;

// The Services of a namespace from where --manifests, --service-cidrs, --kubeconfig, --context and
// --api-server say.
Result<ListedServices> services_of(const GivenFlags& given, const std::string& name_space);

CommandOutput run_env(std::span<const char* const> arguments);

}  // namespace waypost::ops
