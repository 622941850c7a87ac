// The names that a rule is about: zones, and zones within them that are excepted.

#pragma once

#include "base/error.h"
#include "dns/name.h"
#include "dns/query.h"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace waypost::policy {

struct ZoneScope {
  std::vector<dns::Name> zones;  // Lower case; none: all names.
  std::vector<dns::Name> exceptions;

  // Adds to what `keyword` says, "zone" or "except".
  Result<void> add(std::string_view keyword, std::string_view zone);

  struct Match {
    const dns::Name* zone = nullptr;  // One of `zones`; null where all names are meant.
    std::size_t labels = 0;           // Of it.
  };
  // The longest of the zones that the name lies within; nothing when there is none, or when an
  // exception that is as long has the name.
  std::optional<Match> find(const dns::NameKey& name) const noexcept;
};

}  // namespace waypost::policy
