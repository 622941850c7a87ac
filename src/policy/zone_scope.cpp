#include "policy/zone_scope.h"

#include <algorithm>
#include <span>
#include <string>

namespace waypost::policy {
namespace {

std::optional<std::size_t> longest(std::span<const dns::Name> zones,
                                   const dns::NameKey& name) noexcept {
  std::optional<std::size_t> most;
  for (const dns::Name& zone : zones) {
    const std::size_t labels = zone.label_count();
    if ((!most || labels > *most) && name.is_within(zone.wire(), labels)) {
      most = labels;
    }
  }
  return most;
}

}  // namespace

Result<void> ZoneScope::add(std::string_view keyword, std::string_view zone) {
  const auto name = dns::Name::from_text(zone);
  if (!name) {
    return std::unexpected(with_context(name.error(), "'" + std::string(zone) + "'"));
  }
  (keyword == "except" ? exceptions : zones).push_back(name->lowered());
  return {};
}

std::optional<std::size_t> ZoneScope::labels_within(const dns::NameKey& name) const noexcept {
  const auto within = zones.empty() ? std::optional<std::size_t>(0) : longest(zones, name);
  if (!within || exceptions.empty()) {
    return within;
  }
  const auto excepted = longest(exceptions, name);
  return excepted && *excepted >= *within ? std::nullopt : within;
}

}  // namespace waypost::policy
