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

  // How many labels the longest of the zones has that the name lies within, 0 where all names are
  // meant; nothing when there is none, or when an exception that is as long has the name.
  std::optional<std::size_t> labels_within(const dns::NameKey& name) const noexcept;
};

}  // namespace waypost::policy
