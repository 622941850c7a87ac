// What one load of a folder does to the cache, collected before any of it is done: the version has
// to advance first.

#pragma once

#include "cache/service_cache.h"
#include "kube/objects.h"

#include <set>
#include <string>
#include <vector>

namespace waypost::sources {

// Puts go before erasures, so that nothing that merely moves is gone in between.
struct CacheOperations {
  std::vector<kube::Namespace> namespaces;
  std::vector<kube::Service> services;
  std::vector<kube::EndpointSlice> slices;
  std::vector<kube::Pod> pods;
  std::vector<kube::Node> nodes;
  std::set<kube::ObjectKey> erased_slices;
  std::vector<kube::ObjectKey> erased_services;
  std::vector<kube::ObjectKey> erased_pods;
  std::vector<std::string> erased_nodes;
  std::set<std::string> erased_namespaces;

  bool empty() const noexcept {
    return namespaces.empty() && services.empty() && slices.empty() && pods.empty() &&
           nodes.empty() && erased_nodes.empty() && erased_slices.empty() &&
           erased_services.empty() && erased_pods.empty() && erased_namespaces.empty();
  }
  // Does it all; the puts' objects are moved from.
  void apply(cache::ServiceCache& cache);
};

}  // namespace waypost::sources
