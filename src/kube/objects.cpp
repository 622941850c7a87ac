#include "kube/objects.h"

#include <algorithm>
#include <array>
#include <utility>

namespace waypost::kube {
namespace {

constexpr std::array<std::pair<DnsPolicy, std::string_view>, 4> PolicyNames = {{
    {DnsPolicy::ClusterFirst, "ClusterFirst"},
    {DnsPolicy::ClusterFirstWithHostNet, "ClusterFirstWithHostNet"},
    {DnsPolicy::Default, "Default"},
    {DnsPolicy::None, "None"},
}};

}  // namespace

std::string_view to_text(ObjectKind kind) noexcept {
  switch (kind) {
    case ObjectKind::Service:
      return "Service";
    case ObjectKind::EndpointSlice:
      return "EndpointSlice";
    case ObjectKind::Namespace:
      return "Namespace";
    case ObjectKind::Pod:
      return "Pod";
    case ObjectKind::Node:
      return "Node";
  }
  return {};
}

std::string_view to_text(DnsPolicy policy) noexcept {
  return PolicyNames[static_cast<std::size_t>(policy)].second;
}

std::optional<DnsPolicy> policy_from_text(std::string_view text) noexcept {
  for (const auto& [policy, name] : PolicyNames) {
    if (text == name) {
      return policy;
    }
  }
  return std::nullopt;
}

void EndpointSlice::add(Endpoint endpoint, std::string_view hostname, std::string_view pod_name) {
  endpoint.hostname_at = static_cast<std::uint32_t>(text.size());
  endpoint.hostname_size = static_cast<std::uint8_t>(hostname.size());
  text += hostname;
  endpoint.pod_name_at = static_cast<std::uint32_t>(text.size());
  endpoint.pod_name_size = static_cast<std::uint8_t>(pod_name.size());
  text += pod_name;
  endpoints.push_back(endpoint);
}

const std::string* find_label(const Labels& labels, std::string_view key) noexcept {
  const auto at = std::lower_bound(labels.begin(), labels.end(), key,
                                   [](const auto& label, std::string_view wanted) {
                                     return std::string_view(label.first) < wanted;
                                   });
  return at != labels.end() && at->first == key ? &at->second : nullptr;
}

bool matches(const Labels& labels, const Labels& wanted) noexcept {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& pair) {
    const std::string* value = find_label(labels, pair.first);
    return value != nullptr && *value == pair.second;
  });
}

}  // namespace waypost::kube
