#include "server/authority.h"

namespace waypost::server {

bool is_of_cluster(const records::Index& index, const records::Apex& cluster,
                   const zones::Owner& owner, const dns::NameKey& name,
                   records::Index::Search& search) noexcept {
  if (!cluster.is_reverse) {
    return owner.labels <= cluster.labels;
  }
  if (owner.labels < cluster.labels || (owner.labels == cluster.labels && owner.zone != nullptr) ||
      index.has(name, search)) {
    return true;
  }
  if (owner.gives_way) {
    return cluster.falls_through(name) ||
           (name.label_count > owner.labels && index.may_have(cluster, name));
  }
  return owner.zone == nullptr && !index.is_ready() && index.may_have(cluster, name);
}

}  // namespace waypost::server
