#include "zones/zone_set.h"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <map>

namespace waypost::zones {

// Apexes by hash, open addressing.
struct ZoneSet::Table {
  // Bit n: apexes of n labels.  Only these suffixes of a name are hashed; of nearly all names there
  // are none, because nothing else here has their last label.
  using Depths = std::bitset<dns::MaxLabels + 1>;
  static constexpr std::size_t Buckets = 64;

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
      note_depth(slot.apex);
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

  // Label counts that the apexes have whose last label is `top`, and perhaps those of others.
  const Depths& depths_below(Bytes top) const noexcept { return depths[bucket_of(top)]; }

  std::vector<Slot> slots;

 private:
  static std::size_t bucket_of(Bytes top) noexcept {
    return (top.size() * 37 + std::size_t{top.front()} * 11 + std::size_t{top.back()} * 5) %
           Buckets;
  }
  void note_depth(const dns::Name& apex) {
    const std::size_t labels = apex.label_count();
    if (labels == 0) {  // The root's: every name is below it.
      for (Depths& each : depths) {
        each.set(0);
      }
      return;
    }
    dns::NameKey key;
    key.assign(apex.wire());
    depths[bucket_of(key.label(labels - 1))].set(labels);
  }

  std::array<Depths, Buckets> depths;
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
  if (labels == 0) {
    return table_->find(name.hash, name.wire());
  }
  const Table::Depths& depths = table_->depths_below(name.label(labels - 1));
  if (depths.none()) {
    return nullptr;
  }
  for (std::size_t i = 0; i <= labels; ++i) {
    if (!depths[labels - i]) {
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
