#include "zones/zone_set.h"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <map>
#include <ranges>

namespace waypost::zones {

// Apexes by hash, open addressing.
struct ZoneSet::Table {
  // Bit n: apexes of n labels.  Only these suffixes of a name are hashed; of nearly all names there
  // are none, because nothing else here has their last label.
  using Depths = std::bitset<dns::MaxLabels + 1>;
  static constexpr std::size_t Buckets = 64;

  struct Slot {
    std::uint64_t hash = 0;
    bool is_taken = false;
    Owner owner;
    dns::Name apex;  // In lower case.
  };

  explicit Table(const std::map<dns::Name, Owner>& owners)
      : slots(std::bit_ceil(owners.size() * 2 + 1)) {
    const std::size_t mask = slots.size() - 1;
    for (const auto& [apex, owner] : owners) {
      Slot slot{.is_taken = true, .owner = owner, .apex = apex.lowered()};
      slot.hash = dns::hash_name(slot.apex.wire());
      std::size_t at = slot.hash & mask;
      while (slots[at].is_taken) {
        at = (at + 1) & mask;
      }
      note_depth(slot.apex);
      slots[at] = std::move(slot);
    }
  }

  const Owner* find(std::uint64_t hash, Bytes lower_wire) const noexcept {
    const std::size_t mask = slots.size() - 1;
    for (std::size_t at = hash & mask; slots[at].is_taken; at = (at + 1) & mask) {
      if (slots[at].hash == hash && std::ranges::equal(slots[at].apex.wire(), lower_wire)) {
        return &slots[at].owner;
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

ZoneSet::ZoneSet(std::vector<std::shared_ptr<const Zone>> zones,
                 std::span<const dns::Name> elsewhere) {
  std::vector<Loaded> loaded;
  loaded.reserve(zones.size());
  for (std::shared_ptr<const Zone>& zone : zones) {
    loaded.push_back({.file = {}, .zone = std::move(zone)});
  }
  build(loaded, elsewhere);
}

std::unique_ptr<const ZoneSet> ZoneSet::from_files(std::vector<Loaded> loaded,
                                                   std::span<const dns::Name> elsewhere) {
  std::unique_ptr<ZoneSet> set(new ZoneSet());
  set->build(loaded, elsewhere);
  set->loaded_ = std::move(loaded);
  return set;
}

void ZoneSet::build(const std::vector<Loaded>& loaded, std::span<const dns::Name> elsewhere) {
  constexpr std::size_t RecordsOfEmptyZone = 2;  // SOA and NS.
  std::map<dns::Name, const Loaded*> by_apex;
  for (const Loaded& each : loaded) {
    by_apex.insert_or_assign(each.zone->apex(), &each);
  }
  // The root is nobody's: no zone here has what is left.
  auto others =
      std::views::filter(elsewhere, [](const dns::Name& apex) { return !apex.is_root(); });
  const auto is_elsewhere = [&](const dns::Name& apex) {
    return std::ranges::any_of(others,
                               [&](const dns::Name& other) { return apex.is_within(other); });
  };
  const auto owner_at = [](const dns::Name& apex, const Zone* zone, bool gives_way) {
    return Owner{.zone = zone,
                 .labels = static_cast<std::uint8_t>(apex.label_count()),
                 .gives_way = gives_way};
  };
  std::map<dns::Name, Owner> owners;
  for (const auto& [apex, each] : by_apex) {
    if (each->is_built_in && is_elsewhere(apex)) {
      continue;
    }
    const bool gives_way = each->is_built_in && each->zone->record_count() == RecordsOfEmptyZone;
    owners.emplace(apex, owner_at(apex, each->zone.get(), gives_way));
    zones_.push_back(each->zone);
  }
  for (const dns::Name& apex : others) {
    owners.emplace(apex, owner_at(apex, nullptr, false));  // Unless a zone is there.
  }
  table_ = std::make_unique<const Table>(owners);
}

ZoneSet::~ZoneSet() = default;

const Owner* ZoneSet::closest(const dns::NameKey& name) const noexcept {
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
    if (const Owner* owner = table_->find(hash, suffix)) {
      return owner;
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
  const auto at = std::ranges::find(loaded_, file, &Loaded::file);
  return at != loaded_.end() ? at->zone : nullptr;
}

}  // namespace waypost::zones
