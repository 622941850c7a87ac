#include "sources/api_kind.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

namespace waypost::sources {
namespace {

using kube::ObjectKind;

constexpr std::array Resources = {
    ApiResource{ObjectKind::Service, "services", "", "/api/v1/services"},
    ApiResource{ObjectKind::EndpointSlice, "endpointslices", "discovery.k8s.io",
                "/apis/discovery.k8s.io/v1/endpointslices"},
    ApiResource{ObjectKind::Namespace, "namespaces", "", "/api/v1/namespaces"},
    ApiResource{ObjectKind::Pod, "pods", "", "/api/v1/pods"},
    ApiResource{ObjectKind::Node, "nodes", "", "/api/v1/nodes"},
};

bool is_unreserved(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

}  // namespace

const ApiResource& resource_of(ObjectKind kind) noexcept {
  return *std::find_if(Resources.begin(), Resources.end(),
                       [kind](const ApiResource& resource) { return resource.kind == kind; });
}

std::string rbac_rule(const ApiResource& resource) {
  return fmt::format(R"(apiGroups: ["{}"], resources: ["{}"], verbs: ["list", "watch"])",
                     resource.group, resource.plural);
}

std::string percent_encoded(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (is_unreserved(c)) {
      result.push_back(c);
    } else {
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return result;
}

std::string target_of(const KindRequest& request, std::string_view parameters) {
  std::string target(resource_of(request.kind).path);
  char separator = '?';
  const auto add = [&](std::string_view text) {
    target += separator;
    target += text;
    separator = '&';
  };
  if (!request.field_selector.empty()) {
    add("fieldSelector=" + percent_encoded(request.field_selector));
  }
  if (!request.label_selector.empty()) {
    add("labelSelector=" + percent_encoded(request.label_selector));
  }
  if (!parameters.empty()) {
    add(parameters);
  }
  return target;
}

}  // namespace waypost::sources
