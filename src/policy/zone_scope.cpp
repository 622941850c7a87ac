#include "policy/zone_scope.h"

#include <algorithm>
#include <span>
#include <string>

namespace waypost::policy {
namespace {

std::optional<ZoneScope::Match> longest(std::span<const dns::Name> zones,
                                        const dns::NameKey& name) noexcept {
  std::optional<ZoneScope::Match> best;
  for (const dns::Name& zone : zones) {
    const std::size_t labels = zone.label_count();
    if ((!best || labels > best->labels) && name.is_within(zone.wire(), labels)) {
      best = {.zone = &zone, .labels = labels};
    }
  }
  return best;
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

std::optional<ZoneScope::Match> ZoneScope::find(const dns::NameKey& name) const noexcept {
  const auto within = zones.empty() ? std::optional<Match>(Match{}) : longest(zones, name);
  if (!within || exceptions.empty()) {
    return within;
  }
  const auto excepted = longest(exceptions, name);
  return excepted && excepted->labels >= within->labels ? std::nullopt : within;
}

}  // namespace waypost::policy
