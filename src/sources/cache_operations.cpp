#include "sources/cache_operations.h"

#include <utility>

namespace waypost::sources {

void CacheOperations::apply(cache::ServiceCache& cache) {
  for (kube::Namespace& name_space : namespaces) {
    cache.put(std::move(name_space));
  }
  for (kube::Service& service : services) {
    cache.put(std::move(service));
  }
  for (kube::EndpointSlice& slice : slices) {
    cache.put(std::move(slice));
  }
  for (kube::Pod& pod : pods) {
    cache.put(std::move(pod));
  }
  for (kube::Node& node : nodes) {
    cache.put(std::move(node));
  }
  for (const kube::ObjectKey& key : erased_slices) {
    cache.erase_slice(key);
  }
  for (const kube::ObjectKey& key : erased_services) {
    cache.erase_service(key);
  }
  for (const kube::ObjectKey& key : erased_pods) {
    cache.erase_pod(key);
  }
  for (const std::string& name : erased_nodes) {
    cache.erase_node(name);
  }
  for (const std::string& name : erased_namespaces) {
    cache.erase_namespace(name);
  }
}

}  // namespace waypost::sources
