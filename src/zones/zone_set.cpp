#include "zones/zone_set.h"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <map>

namespace waypost::zones {

// Apexes by hash, open addressing.
struct ZoneSet::Table {
  struct Slot {
    std::uint64_t hash = 0;
    const Zone* zone = nullptr;
    dns::Name apex;  // In lower case.
  };

  explicit Table(std::span<const std::shared_ptr<const Zone>> zones)
      : slots(std::bit_ceil(zones.size() * 2 + 1)) {
    const std::size_t mask = slots.size() - 1;
    for (const auto& zone : zones) {
      Slot slot{.zone = zone.get(), .apex = zone->apex().lowered()};
      slot.hash = dns::hash_name(slot.apex.wire());
      std::size_t at = slot.hash & mask;
      while (slots[at].zone != nullptr) {
        at = (at + 1) & mask;
      }
      const std::size_t labels = slot.apex.label_count();
      depths.set(labels);
      deepest = std::max(deepest, labels);
      slots[at] = std::move(slot);
    }
  }

  const Zone* find(std::uint64_t hash, Bytes lower_wire) const noexcept {
    const std::size_t mask = slots.size() - 1;
    for (std::size_t at = hash & mask; slots[at].zone != nullptr; at = (at + 1) & mask) {
      if (slots[at].hash == hash && std::ranges::equal(slots[at].apex.wire(), lower_wire)) {
        return slots[at].zone;
      }
    }
    return nullptr;
  }

  std::vector<Slot> slots;
  std::bitset<dns::MaxLabels + 1>
      depths;  // Label counts that some apex has: only these are hashed.
  std::size_t deepest = 0;
};

ZoneSet::ZoneSet(std::vector<std::shared_ptr<const Zone>> zones) {
  std::map<dns::Name, std::shared_ptr<const Zone>> by_apex;
  for (std::shared_ptr<const Zone>& zone : zones) {
    by_apex.insert_or_assign(zone->apex(), std::move(zone));
  }
  for (auto& [apex, zone] : by_apex) {
    zones_.push_back(std::move(zone));
  }
  table_ = std::make_unique<const Table>(zones_);
}

std::unique_ptr<const ZoneSet> ZoneSet::from_files(std::vector<Loaded> loaded) {
  std::vector<std::shared_ptr<const Zone>> zones;
  zones.reserve(loaded.size());
  for (const auto& [file, zone] : loaded) {
    zones.push_back(zone);
  }
  auto set = std::make_unique<ZoneSet>(std::move(zones));
  set->loaded_ = std::move(loaded);
  return set;
}

ZoneSet::~ZoneSet() = default;

const Zone* ZoneSet::closest(const dns::NameKey& name) const noexcept {
  const std::size_t labels = name.label_count;
  for (std::size_t i = labels > table_->deepest ? labels - table_->deepest : 0; i <= labels; ++i) {
    if (!table_->depths[labels - i]) {
      continue;
    }
    const Bytes suffix = name.suffix(i);
    const std::uint64_t hash = i == 0 ? name.hash : dns::hash_name(suffix);
    if (const Zone* zone = table_->find(hash, suffix)) {
      return zone;
    }
  }
  return nullptr;
}

std::shared_ptr<const Zone> ZoneSet::find(const dns::Name& apex) const {
  const auto at = std::ranges::lower_bound(
      zones_, apex, [](const dns::Name& left, const dns::Name& right) { return left < right; },
      [](const auto& zone) -> const dns::Name& { return zone->apex(); });
  return at != zones_.end() && (*at)->apex() == apex ? *at : nullptr;
}

std::shared_ptr<const Zone> ZoneSet::find_file(const std::filesystem::path& file) const {
  const auto at = std::ranges::find(loaded_, file, &Loaded::first);
  return at != loaded_.end() ? at->second : nullptr;
}

}  // namespace waypost::zones
