// The ConfigMaps that cluster DNS is configured with: coredns, whose key Corefile is a Corefile,
// and kube-dns with its stubDomains and upstreamNameservers.

#pragma once

#include "corefile/corefile.h"
#include "ops/corefile_options.h"

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace waypost::ops {

// Reads a manifest of one of them; `file` is its place, from which a Corefile imports.  Of
// kube-dns, what its ConfigMap says, and what kube-dns does without being told: TTL 30, names for
// every address of a Pod, other names and addresses asked of the resolv.conf of its Pod.
CorefileSettings settings_of_config_map(std::string_view text, const std::filesystem::path& file,
                                        std::uint16_t port);

// Reads the same of kube-dns from `folder`, where its ConfigMap is mounted: one file for each key,
// none of them needed; those whose names begin with a dot do not count.  kube-dns tells kubelets at
// port 8081 whether it is ready, and so do these settings.
CorefileSettings settings_of_kube_dns(const std::filesystem::path& folder,
                                      const corefile::Surroundings& surroundings);

}  // namespace waypost::ops
