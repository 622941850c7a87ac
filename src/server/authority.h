// The data that owns a name: one of the cluster's zones, a static zone, or nobody here.
//
// Inside this room only.

#pragma once

#include "dns/query.h"
#include "records/index.h"
#include "zones/zone_set.h"

namespace waypost::resolver {
class AnswerCache;
}

namespace waypost::server {

struct Authority {
  const records::Apex* cluster = nullptr;
  const zones::Zone* zone = nullptr;

  bool is_none() const noexcept { return cluster == nullptr && zone == nullptr; }
  // Whether `name`, if it does not exist here, is asked elsewhere.  `answers` is Views::answers:
  // null where nothing is.
  bool falls_through(const dns::NameKey& name,
                     const resolver::AnswerCache* answers) const noexcept {
    return cluster != nullptr && cluster->falls_through(name) && answers != nullptr;
  }
};

// Whether a name within both is the cluster's: the longer apex owns it.  Reverse zones overlap
// (10.in-addr.arpa is an empty zone by RFC 6303, or another network's, and holds ClusterIPs at the
// same time): there, a name that the cluster has is the cluster's.  So is one that it may have
// some time, below the apex of an empty zone, which would deny it for hours; where others are
// asked, as long as the cluster is not known; and never what an operator's own zone has. Not
// inline: most names one of the two alone encloses.
bool is_of_cluster(const records::Index& index, const records::Apex& cluster,
                   const zones::Owner& owner, const dns::NameKey& name,
                   records::Index::Search& search) noexcept;

inline Authority find_authority(const records::Index& index, const zones::ZoneSet& zones,
                                const dns::NameKey& name, records::Index::Search& search) noexcept {
  const records::Apex* cluster = index.enclosing(name);
  const zones::Owner* owner = zones.closest(name);
  if (owner == nullptr ||
      (cluster != nullptr && is_of_cluster(index, *cluster, *owner, name, search))) {
    return {cluster, nullptr};
  }
  return {nullptr, owner->zone};
}

}  // namespace waypost::server
