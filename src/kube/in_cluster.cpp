#include "kube/in_cluster.h"

#include <cstdlib>
#include <string>
#include <utility>

namespace waypost::kube {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

Result<ApiAccess> in_cluster_access(const std::filesystem::path& folder) {
  const std::string host = variable("KUBERNETES_SERVICE_HOST");
  const std::string port = variable("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) {
    return failure(
        ErrorKind::NotFound,
        "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is no Pod "
        "of a cluster");
  }
  const bool is_v6 = host.find(':') != std::string::npos;
  auto endpoint =
      ApiEndpoint::from_text("https://" + (is_v6 ? "[" + host + "]" : host) + ":" + port);
  if (!endpoint) {
    return failure(ErrorKind::InvalidInput, "KUBERNETES_SERVICE_HOST '" + host +
                                                "' and KUBERNETES_SERVICE_PORT '" + port +
                                                "' are not an address and a port");
  }
  ApiAccess access;
  access.endpoint = std::move(*endpoint);
  access.origin = "service account";
  access.certificate_authority.file = folder / "ca.crt";
  access.token.file = folder / "token";
  return access;
}

}  // namespace waypost::kube
