// KUBERNETES_EXEC_INFO: what a credential plugin is told in its environment, an ExecCredential in
// JSON (client.authentication.k8s.io/v1 and v1beta1).

#pragma once

#include "kube/tree.h"

#include <string>
#include <string_view>

namespace waypost::kube {

// The cluster, as provideClusterInfo tells a plugin of it.
struct ExecCluster {
  std::string server;
  std::string tls_server_name;
  bool insecure_skip_tls_verify = false;
  std::string certificate_authority;  // PEM.
  bool disable_compression = false;
  TreeNode config;  // The cluster's extension client.authentication.k8s.io/exec; may be absent.
};

// `cluster` is nullptr without provideClusterInfo.
std::string exec_info(std::string_view api_version, const ExecCluster* cluster);

}  // namespace waypost::kube
