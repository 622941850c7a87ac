// Services of one namespace, and default/kubernetes, read once: from a folder of manifests or from
// the API server.
//
// Not here: following them (ops/world.h).

#pragma once

#include "base/error.h"
#include "kube/objects.h"
#include "ops/config.h"
#include "sources/manifest_source.h"

#include <cstddef>
#include <string>
#include <vector>

namespace waypost::ops {

// Of one namespace; more are a failure.
inline constexpr std::size_t MaxListedServices = 100'000;

struct ListedServices {
  std::vector<kube::Service> services;
  Problems problems;  // Objects that are left out.
};

// Fails when the folder cannot be read.
Result<ListedServices> services_of_folder(const sources::ManifestOptions& options,
                                          const std::string& name_space);

// Lists the namespace's Services with the credentials that `api` leads to, and default/kubernetes,
// without which it goes on when that is forbidden.  Needs the right to list Services in these
// namespaces only.  Blocks, at most 10 s for each answer.
Result<ListedServices> services_of_api(const ApiConfig& api, const std::string& name_space);

}  // namespace waypost::ops
