#include "cache/service_cache.h"

#include <algorithm>
#include <utility>

namespace waypost::cache {
namespace {

// Slices are merged in the order of their names, so that every replica sees the same order.
bool comes_before(const SlicePointer& left, const SlicePointer& right) {
  return left->key.name < right->key.name;
}

// True when the objects differ in nothing but their version, which nobody can observe.
template <typename T>
bool is_same(const T& known, T& fresh) {
  const std::uint64_t version = std::exchange(fresh.resource_version, known.resource_version);
  const bool same = known == fresh;
  fresh.resource_version = version;
  return same;
}

}  // namespace

ServiceCache::ServiceCache() = default;
ServiceCache::~ServiceCache() = default;

void ServiceCache::advance_resource_version(std::uint64_t version) {
  if (version <= newest_resource_version_) {
    return;
  }
  newest_resource_version_ = version;
  for (Consumer* consumer : consumers_) {
    consumer->on_resource_version(version);
  }
}

void ServiceCache::publish(const kube::ObjectKey& key, const ServiceState& before,
                           const ServiceState& after) {
  for (Consumer* consumer : consumers_) {
    consumer->on_service({key, before, after});
  }
}

ServiceCache::Applied ServiceCache::put(kube::Service service) {
  advance_resource_version(service.resource_version);
  const auto [at, is_new_key] = services_.try_emplace(service.key);
  ServiceState& state = at->second;
  if (state.service != nullptr && is_same(*state.service, service)) {
    return Applied::Nothing;
  }
  const bool added = state.service == nullptr;
  counts_.services += added ? 1 : 0;
  ServiceState before = state;
  state.service = std::make_shared<const kube::Service>(std::move(service));
  publish(at->first, before, state);
  return added ? Applied::Added : Applied::Updated;
}

ServiceCache::Applied ServiceCache::erase_service(const kube::ObjectKey& key) {
  const auto at = services_.find(key);
  if (at == services_.end() || at->second.service == nullptr) {
    return Applied::Nothing;
  }
  --counts_.services;
  ServiceState before = at->second;
  at->second.service = nullptr;
  publish(at->first, before, at->second);
  if (at->second.slices.empty()) {
    services_.erase(at);
  }
  return Applied::Removed;
}

// Takes `slice`, or nothing, in the place of the slice named `key`.
ServiceCache::Applied ServiceCache::replace_slice(const kube::ObjectKey& key,
                                                  const SlicePointer& slice) {
  const auto known = slices_.find(key);
  const SlicePointer old = known == slices_.end() ? nullptr : known->second;
  if (old == nullptr && slice == nullptr) {
    return Applied::Nothing;
  }

  counts_.endpoints += (slice ? slice->endpoints.size() : 0) - (old ? old->endpoints.size() : 0);
  counts_.slices += std::size_t{slice != nullptr} - std::size_t{old != nullptr};
  if (slice != nullptr) {
    slices_[key] = slice;
  } else {
    slices_.erase(known);
  }

  const auto service_of = [](const SlicePointer& pointer) {
    return pointer == nullptr ? std::string() : pointer->service_name;
  };
  const std::string old_service = service_of(old);
  const std::string new_service = service_of(slice);

  // A slice that moves to another Service is a removal there and an addition here.
  const auto change = [&](const std::string& service_name, const SlicePointer& remove,
                          const SlicePointer& add) {
    if (service_name.empty()) {
      return;
    }
    const auto at = services_.try_emplace({key.name_space, service_name}).first;
    ServiceState& state = at->second;
    ServiceState before = state;
    if (remove != nullptr) {
      std::erase(state.slices, remove);
    }
    if (add != nullptr) {
      state.slices.insert(
          std::upper_bound(state.slices.begin(), state.slices.end(), add, comes_before), add);
    }
    publish(at->first, before, state);
    if (state.service == nullptr && state.slices.empty()) {
      services_.erase(at);
    }
  };
  if (old_service == new_service) {
    change(new_service, old, slice);
  } else {
    change(old_service, old, nullptr);
    change(new_service, nullptr, slice);
  }
  return slice == nullptr ? Applied::Removed : old == nullptr ? Applied::Added : Applied::Updated;
}

ServiceCache::Applied ServiceCache::put(kube::EndpointSlice slice) {
  advance_resource_version(slice.resource_version);
  const kube::ObjectKey key = slice.key;
  const auto known = slices_.find(key);
  if (known != slices_.end() && is_same(*known->second, slice)) {
    return Applied::Nothing;
  }
  return replace_slice(key, std::make_shared<const kube::EndpointSlice>(std::move(slice)));
}

ServiceCache::Applied ServiceCache::erase_slice(const kube::ObjectKey& key) {
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): the caller's may live in the
  // slice.
  const kube::ObjectKey kept = key;
  return replace_slice(kept, nullptr);
}

ServiceCache::Applied ServiceCache::put(kube::Namespace name_space) {
  advance_resource_version(name_space.resource_version);
  const auto [at, added] = namespaces_.try_emplace(name_space.name);
  if (!added && is_same(at->second, name_space)) {
    return Applied::Nothing;
  }
  counts_.namespaces += added ? 1 : 0;
  const kube::Namespace before = std::exchange(at->second, std::move(name_space));
  for (Consumer* consumer : consumers_) {
    consumer->on_namespace({added ? nullptr : &before, &at->second});
  }
  return added ? Applied::Added : Applied::Updated;
}

ServiceCache::Applied ServiceCache::erase_namespace(std::string_view name) {
  const auto node = namespaces_.extract(std::string(name));
  if (node.empty()) {
    return Applied::Nothing;
  }
  --counts_.namespaces;
  for (Consumer* consumer : consumers_) {
    consumer->on_namespace({&node.mapped(), nullptr});
  }
  return Applied::Removed;
}

ServiceCache::Applied ServiceCache::put(kube::Pod pod) {
  advance_resource_version(pod.resource_version);
  const auto [at, added] = pods_.try_emplace(pod.key);
  if (!added && is_same(at->second, pod)) {
    return Applied::Nothing;
  }
  counts_.pods += added ? 1 : 0;
  const kube::Pod before = std::exchange(at->second, std::move(pod));
  for (Consumer* consumer : consumers_) {
    consumer->on_pod({added ? nullptr : &before, &at->second});
  }
  return added ? Applied::Added : Applied::Updated;
}

ServiceCache::Applied ServiceCache::erase_pod(const kube::ObjectKey& key) {
  const auto node = pods_.extract(key);
  if (node.empty()) {
    return Applied::Nothing;
  }
  --counts_.pods;
  for (Consumer* consumer : consumers_) {
    consumer->on_pod({&node.mapped(), nullptr});
  }
  return Applied::Removed;
}

void ServiceCache::set_synced() {
  if (synced_) {
    return;
  }
  synced_ = true;
  for (Consumer* consumer : consumers_) {
    consumer->on_synced();
  }
}

const ServiceState* ServiceCache::find(const kube::ObjectKey& key) const noexcept {
  const auto at = services_.find(key);
  return at == services_.end() ? nullptr : &at->second;
}

const kube::Namespace* ServiceCache::find_namespace(std::string_view name) const noexcept {
  const auto at = namespaces_.find(std::string(name));
  return at == namespaces_.end() ? nullptr : &at->second;
}

const kube::Pod* ServiceCache::find_pod(const kube::ObjectKey& key) const noexcept {
  const auto at = pods_.find(key);
  return at == pods_.end() ? nullptr : &at->second;
}

void ServiceCache::for_each_service(
    const std::function<void(const kube::ObjectKey&, const ServiceState&)>& visit) const {
  for (const auto& [key, state] : services_) {
    visit(key, state);
  }
}

void ServiceCache::for_each_namespace(
    const std::function<void(const kube::Namespace&)>& visit) const {
  for (const auto& [name, name_space] : namespaces_) {
    visit(name_space);
  }
}

void ServiceCache::for_each_pod(const std::function<void(const kube::Pod&)>& visit) const {
  for (const auto& [key, pod] : pods_) {
    visit(pod);
  }
}

void ServiceCache::subscribe(Consumer& consumer) {
  consumers_.push_back(&consumer);
  static const ServiceState nothing;
  if (newest_resource_version_ != 0) {
    consumer.on_resource_version(newest_resource_version_);
  }
  for (const auto& [name, name_space] : namespaces_) {
    consumer.on_namespace({nullptr, &name_space});
  }
  for (const auto& [key, state] : services_) {
    consumer.on_service({key, nothing, state});
  }
  for (const auto& [key, pod] : pods_) {
    consumer.on_pod({nullptr, &pod});
  }
  if (synced_) {
    consumer.on_synced();
  }
}

void ServiceCache::unsubscribe(Consumer& consumer) noexcept {
  std::erase(consumers_, &consumer);
}

}  // namespace waypost::cache
