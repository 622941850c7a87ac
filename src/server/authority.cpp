#include "server/authority.h"

namespace waypost::server {

bool is_of_cluster(const records::Index& index, const records::Apex& cluster,
                   const zones::Owner& owner, const dns::NameKey& name,
                   records::Index::Search& search) noexcept {
  if (!cluster.is_reverse) {
    return owner.labels <= cluster.labels;
  }
  const bool is_own_zone = owner.zone != nullptr && !owner.gives_way;
  return owner.labels < cluster.labels ||
         (owner.labels == cluster.labels && owner.zone != nullptr) || index.has(name, search) ||
         (owner.gives_way && cluster.falls_through(name)) ||
         (!is_own_zone && !index.is_ready() && index.may_have(cluster, name));
}

}  // namespace waypost::server
