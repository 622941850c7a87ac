#include "kube/api_access.h"

namespace waypost::kube {

Result<ApiAccess> access_from_url(std::string_view url) {
  auto endpoint = ApiEndpoint::from_text(url);
  if (!endpoint) {
    return std::unexpected(with_context(std::move(endpoint.error()), "API server"));
  }
  ApiAccess access;
  access.endpoint = std::move(*endpoint);
  access.origin = "--api-server " + access.endpoint.to_text();
  return access;
}

}  // namespace waypost::kube
