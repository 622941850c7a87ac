// The data that owns a name: one of the cluster's zones, a static zone, or nobody.
//
// Inside this room only.

#pragma once

#include "dns/query.h"
#include "records/index.h"
#include "zones/zone_set.h"

namespace waypost::server {

struct Authority {
  const records::Apex* cluster = nullptr;
  const zones::Zone* zone = nullptr;

  bool is_none() const noexcept { return cluster == nullptr && zone == nullptr; }
};

// The zone with the longest apex owns a name.  Reverse zones overlap (10.in-addr.arpa is an empty
// zone by RFC 6303 and holds ClusterIPs at the same time): there, a name that the cluster has is
// the cluster's.
inline Authority find_authority(const records::Index& index, const zones::ZoneSet& zones,
                                const dns::NameKey& name, records::Index::Search& search) noexcept {
  const records::Apex* cluster = index.enclosing(name);
  const zones::Zone* zone = zones.closest(name);
  if (cluster != nullptr && zone != nullptr) {
    const bool is_cluster = zone->apex().label_count() <= cluster->labels ||
                            (cluster->is_reverse && index.has(name, search));
    return is_cluster ? Authority{cluster, nullptr} : Authority{nullptr, zone};
  }
  return {cluster, zone};
}

}  // namespace waypost::server
