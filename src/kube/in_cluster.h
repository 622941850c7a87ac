// How a Pod reaches the API server of its own cluster: two environment variables and the files of
// its service account ("Accessing the Kubernetes API from a Pod").

#pragma once

#include "base/error.h"
#include "kube/api_access.h"

#include <filesystem>
#include <string_view>

namespace waypost::kube {

inline constexpr std::string_view ServiceAccountFolder =
    "/var/run/secrets/kubernetes.io/serviceaccount";

// Returns the access from KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT and the files `token`
// and `ca.crt` in `folder`, which are read again as they are rotated.  Fails with NotFound when the
// variables are not set: this is no Pod then.  The files are not opened here (ApiClient::make()
// does).
Result<ApiAccess> in_cluster_access(const std::filesystem::path& folder = ServiceAccountFolder);

}  // namespace waypost::kube
