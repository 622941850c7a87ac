#include "cache/service_cache.h"

#include "cache/records.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace waypost::cache {
namespace {

constexpr std::size_t MaxKeptScratch = std::size_t{64} << 10;

KeyView view(const kube::ObjectKey& key) noexcept {
  return {key.name_space, key.name};
}
kube::ObjectKey object_key(const KeyView& key) {
  return {std::string(key.name_space), std::string(key.name)};
}

ServiceState state_of(const ServiceRecord& record) {
  ServiceState state;
  state.service = ServicePointer(record.service);
  std::size_t count = 0;
  for (const SliceRecord* slice = record.slices; slice != nullptr; slice = slice->next) {
    ++count;
  }
  state.slices.reserve(count);
  for (const SliceRecord* slice = record.slices; slice != nullptr; slice = slice->next) {
    state.slices.emplace_back(slice);
  }
  return state;
}

std::uint16_t size16(std::string_view text) noexcept {
  return static_cast<std::uint16_t>(text.size());  // Names have 253 octets at most.
}
std::uint32_t size32(std::string_view text) noexcept {
  return static_cast<std::uint32_t>(text.size());  // Objects of the API have 1.5 MiB at most.
}

// True when the objects differ in nothing but their version, which nobody can observe.
bool is_same(const kube::Namespace& known, const kube::Namespace& fresh) {
  return known.labels == fresh.labels;
}
bool is_same(const kube::Node& known, kube::Node fresh) {
  fresh.resource_version = known.resource_version;
  return known == fresh;
}

}  // namespace

std::shared_ptr<const kube::Service> unpack(const PackedService& packed) {
  auto service = std::make_shared<kube::Service>();
  service->key = object_key(packed.record->key());
  service->resource_version = packed.resource_version;
  OctetReader from(packed.octets());
  unpack(from, *service);
  return service;
}

std::shared_ptr<const kube::EndpointSlice> unpack(const SliceRecord& packed) {
  auto slice = std::make_shared<kube::EndpointSlice>();
  slice->key = object_key(packed.key());
  slice->resource_version = packed.resource_version;
  slice->service_name = packed.service_name();
  OctetReader from(packed.octets());
  unpack(from, *slice);
  return slice;
}

kube::Pod unpack(const PodRecord& record) {
  kube::Pod pod;
  pod.key = object_key(record.key());
  pod.resource_version = record.resource_version;
  OctetReader from(record.octets());
  unpack(from, pod);
  return pod;
}

ServiceCache::ServiceCache(const Kept& kept) : kept_(kept) {}

ServiceCache::~ServiceCache() {
  services_.for_each([](ServiceRecord& record) {
    FreeRecord()(record.service);
    FreeRecord()(&record);
  });
  slices_.for_each([](SliceRecord& record) { FreeRecord()(&record); });
  pods_.for_each([](PodRecord& record) { FreeRecord()(&record); });
  namespaces_.for_each([](const NamespaceRecord& record) { delete &record; });
}

void ServiceCache::advance_resource_version(std::uint64_t version) {
  if (version <= newest_resource_version_) {
    return;
  }
  newest_resource_version_ = version;
  for (Consumer* consumer : consumers_) {
    consumer->on_resource_version(version);
  }
}

// Valid until the next call.
std::string_view ServiceCache::pack_object(const auto& object) {
  packed_.clear();
  if (packed_.capacity() > MaxKeptScratch) {
    packed_.shrink_to_fit();
  }
  OctetWriter to(packed_);
  pack(to, object, kept_);
  return packed_;
}

//------------------------------------------------------------------ records

NamespaceRecord& ServiceCache::namespace_record(std::string_view name) {
  NamespaceRecord* record = namespaces_.find({{}, name});
  if (record == nullptr) {
    record = new NamespaceRecord(name);
    namespaces_.insert(*record);
  }
  return *record;
}

void ServiceCache::drop_if_unused(NamespaceRecord& record) noexcept {
  if (!record.is_used()) {
    namespaces_.remove(record);
    delete &record;
  }
}

ServiceRecord& ServiceCache::service_record(std::string_view name_space, std::string_view name) {
  ServiceRecord* record = services_.find({name_space, name});
  if (record == nullptr) {
    NamespaceRecord& home = namespace_record(name_space);
    record = make_with_texts(ServiceRecord{.name_space = &home, .name_size = size16(name)}, name);
    services_.insert(*record);
    link(home.services, *record);
  }
  return *record;
}

void ServiceCache::drop_if_unused(ServiceRecord& record) noexcept {
  if (record.service == nullptr && record.slices == nullptr) {
    NamespaceRecord& home = *record.name_space;
    services_.remove(record);
    unlink(home.services, record);
    FreeRecord()(&record);
    drop_if_unused(home);
  }
}

void ServiceCache::publish(const ServiceRecord& record, const ServiceState& before,
                           const kube::ChangeTimes& times) {
  if (consumers_.empty()) {
    return;
  }
  const kube::ObjectKey key = object_key(record.key());
  const ServiceState after = state_of(record);
  for (Consumer* consumer : consumers_) {
    consumer->on_service({key, before, after, times});
  }
}

//------------------------------------------------------------------ Services

// NOLINTNEXTLINE(performance-unnecessary-value-param): put() takes every kind in the same way.
ServiceCache::Applied ServiceCache::put(kube::Service service) {
  advance_resource_version(service.resource_version);
  ServiceRecord& record = service_record(service.key.name_space, service.key.name);
  const std::string_view octets = pack_object(service);
  PackedService* known = record.service;
  if (known != nullptr && known->octets() == octets) {
    known->resource_version = service.resource_version;
    known->marked = true;
    return Applied::Nothing;
  }
  counts_.services += known == nullptr ? 1 : 0;
  const ServiceState before = state_of(record);
  const PackedService::Pointer old(known);
  record.service = make_with_texts(PackedService{.record = &record,
                                                 .resource_version = service.resource_version,
                                                 .size = size32(octets),
                                                 .marked = true},
                                   octets);
  publish(record, before, known == nullptr ? service.times : kube::ChangeTimes{});
  return known == nullptr ? Applied::Added : Applied::Updated;
}

ServiceCache::Applied ServiceCache::erase(PackedService& service) {
  ServiceRecord& record = *services_.find(service.record->key());
  --counts_.services;
  const ServiceState before = state_of(record);
  const PackedService::Pointer old(std::exchange(record.service, nullptr));
  publish(record, before);
  drop_if_unused(record);
  return Applied::Removed;
}

ServiceCache::Applied ServiceCache::erase_service(const kube::ObjectKey& key) {
  const ServiceRecord* record = services_.find(view(key));
  return record == nullptr || record->service == nullptr ? Applied::Nothing
                                                         : erase(*record->service);
}

//------------------------------------------------------------------ slices

// Slices are merged in the order of their names, so that every replica sees the same order.
void ServiceCache::insert_into_service(SliceRecord& slice, const kube::ChangeTimes& times) {
  if (slice.service_name().empty()) {
    return;
  }
  ServiceRecord& record = service_record(slice.name_space->name, slice.service_name());
  const ServiceState before = state_of(record);
  SliceRecord** at = &record.slices;
  while (*at != nullptr && (*at)->name() < slice.name()) {
    at = &(*at)->next;
  }
  slice.next = *at;
  *at = &slice;
  publish(record, before, times);
}

void ServiceCache::remove_from_service(SliceRecord& slice) {
  if (slice.service_name().empty()) {
    return;
  }
  ServiceRecord& record = *services_.find({slice.name_space->name, slice.service_name()});
  const ServiceState before = state_of(record);
  SliceRecord** at = &record.slices;
  while (*at != &slice) {
    at = &(*at)->next;
  }
  *at = slice.next;
  publish(record, before);
  drop_if_unused(record);
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): put() takes every kind in the same way.
ServiceCache::Applied ServiceCache::put(kube::EndpointSlice slice) {
  advance_resource_version(slice.resource_version);
  const std::string_view octets = pack_object(slice);
  SliceRecord* known = slices_.find(view(slice.key));
  const bool same_service = known != nullptr && known->service_name() == slice.service_name;
  if (same_service && known->octets() == octets) {
    known->resource_version = slice.resource_version;
    known->marked = true;
    return Applied::Nothing;
  }

  NamespaceRecord& home = namespace_record(slice.key.name_space);
  SliceRecord& fresh = *make_with_texts(
      SliceRecord{.name_space = &home,
                  .resource_version = slice.resource_version,
                  .endpoints = static_cast<std::uint32_t>(slice.endpoints.size()),
                  .size = size32(octets),
                  .name_size = size16(slice.key.name),
                  .service_name_size = size16(slice.service_name),
                  .marked = true},
      std::string_view(slice.key.name), std::string_view(slice.service_name), octets);
  counts_.endpoints += fresh.endpoints;
  if (known == nullptr) {
    ++counts_.slices;
    ++home.slices;
    slices_.insert(fresh);
    insert_into_service(fresh, slice.times);
    return Applied::Added;
  }

  const SliceRecord::Pointer old(known);
  const kube::ChangeTimes changed{.triggered = slice.times.triggered};
  counts_.endpoints -= old->endpoints;
  slices_.replace(*old, fresh);
  if (!same_service) {
    // A slice that moves to another Service is a removal there and an addition here.
    remove_from_service(*old);
    insert_into_service(fresh, changed);
  } else if (!fresh.service_name().empty()) {
    const ServiceRecord& record = *services_.find({home.name, fresh.service_name()});
    const ServiceState before = state_of(record);
    SliceRecord** at = &services_.find(record.key())->slices;
    while (*at != old.get()) {
      at = &(*at)->next;
    }
    fresh.next = old->next;
    *at = &fresh;
    publish(record, before, changed);
  }
  return Applied::Updated;
}

ServiceCache::Applied ServiceCache::erase(SliceRecord& slice) {
  NamespaceRecord& home = *slice.name_space;
  const SliceRecord::Pointer old(&slice);
  counts_.endpoints -= slice.endpoints;
  --counts_.slices;
  slices_.remove(slice);
  remove_from_service(slice);
  --home.slices;
  drop_if_unused(home);
  return Applied::Removed;
}

ServiceCache::Applied ServiceCache::erase_slice(const kube::ObjectKey& key) {
  SliceRecord* slice = slices_.find(view(key));
  return slice == nullptr ? Applied::Nothing : erase(*slice);
}

//------------------------------------------------------------------ Namespaces

ServiceCache::Applied ServiceCache::put(kube::Namespace name_space) {
  advance_resource_version(name_space.resource_version);
  if (!kept_.labels) {
    name_space.labels.clear();
  }
  NamespaceRecord& record = namespace_record(name_space.name);
  record.marked = true;
  if (record.object != nullptr && is_same(*record.object, name_space)) {
    record.object->resource_version = name_space.resource_version;
    return Applied::Nothing;
  }
  const std::unique_ptr<kube::Namespace> before =
      std::exchange(record.object, std::make_unique<kube::Namespace>(std::move(name_space)));
  counts_.namespaces += before == nullptr ? 1 : 0;
  for (Consumer* consumer : consumers_) {
    consumer->on_namespace({before.get(), record.object.get()});
  }
  return before == nullptr ? Applied::Added : Applied::Updated;
}

ServiceCache::Applied ServiceCache::erase(NamespaceRecord& record) {
  const std::unique_ptr<kube::Namespace> before = std::move(record.object);
  --counts_.namespaces;
  for (Consumer* consumer : consumers_) {
    consumer->on_namespace({before.get(), nullptr});
  }
  drop_if_unused(record);
  return Applied::Removed;
}

ServiceCache::Applied ServiceCache::erase_namespace(std::string_view name) {
  NamespaceRecord* record = namespaces_.find({{}, name});
  return record == nullptr || record->object == nullptr ? Applied::Nothing : erase(*record);
}

//------------------------------------------------------------------ Pods

// NOLINTNEXTLINE(performance-unnecessary-value-param): put() takes every kind in the same way.
ServiceCache::Applied ServiceCache::put(kube::Pod pod) {
  advance_resource_version(pod.resource_version);
  const std::string_view octets = pack_object(pod);
  PodRecord* known = pods_.find(view(pod.key));
  if (known != nullptr && known->octets() == octets) {
    known->resource_version = pod.resource_version;
    known->marked = true;
    return Applied::Nothing;
  }

  NamespaceRecord& home = namespace_record(pod.key.name_space);
  PodRecord& fresh = *make_with_texts(PodRecord{.name_space = &home,
                                                .resource_version = pod.resource_version,
                                                .size = size32(octets),
                                                .name_size = size16(pod.key.name),
                                                .marked = true},
                                      std::string_view(pod.key.name), octets);
  link(home.pods, fresh);
  std::optional<kube::Pod> before;
  if (known != nullptr) {
    before = unpack(*known);
    pods_.replace(*known, fresh);
    unlink(home.pods, *known);
    FreeRecord()(known);
  } else {
    ++counts_.pods;
    pods_.insert(fresh);
  }
  if (!consumers_.empty()) {
    const kube::Pod after = unpack(fresh);
    for (Consumer* consumer : consumers_) {
      consumer->on_pod({before ? &*before : nullptr, &after});
    }
  }
  return before ? Applied::Updated : Applied::Added;
}

ServiceCache::Applied ServiceCache::erase(PodRecord& pod) {
  const kube::Pod before = unpack(pod);
  NamespaceRecord& home = *pod.name_space;
  --counts_.pods;
  pods_.remove(pod);
  unlink(home.pods, pod);
  FreeRecord()(&pod);
  for (Consumer* consumer : consumers_) {
    consumer->on_pod({&before, nullptr});
  }
  drop_if_unused(home);
  return Applied::Removed;
}

ServiceCache::Applied ServiceCache::erase_pod(const kube::ObjectKey& key) {
  PodRecord* pod = pods_.find(view(key));
  return pod == nullptr ? Applied::Nothing : erase(*pod);
}

//------------------------------------------------------------------ Nodes

ServiceCache::Applied ServiceCache::put(kube::Node node) {
  advance_resource_version(node.resource_version);
  const auto [at, added] = nodes_.try_emplace(node.name);
  NodeRecord& record = at->second;
  record.marked = true;
  if (!added && is_same(record.object, node)) {
    record.object.resource_version = node.resource_version;
    return Applied::Nothing;
  }
  counts_.nodes += added ? 1 : 0;
  const kube::Node before = std::exchange(record.object, std::move(node));
  for (Consumer* consumer : consumers_) {
    consumer->on_node({added ? nullptr : &before, &record.object});
  }
  return added ? Applied::Added : Applied::Updated;
}

ServiceCache::Applied ServiceCache::erase(NodeRecord& node) {
  const auto gone = nodes_.extract(node.object.name);
  --counts_.nodes;
  for (Consumer* consumer : consumers_) {
    consumer->on_node({&gone.mapped().object, nullptr});
  }
  return Applied::Removed;
}

ServiceCache::Applied ServiceCache::erase_node(std::string_view name) {
  const auto at = nodes_.find(name);
  return at == nodes_.end() ? Applied::Nothing : erase(at->second);
}

const kube::Node* ServiceCache::find_node(std::string_view name) const noexcept {
  const auto at = nodes_.find(name);
  return at == nodes_.end() ? nullptr : &at->second.object;
}

void ServiceCache::for_each_node(const std::function<void(const kube::Node&)>& visit) const {
  for (const auto& [name, record] : nodes_) {
    visit(record.object);
  }
}

//------------------------------------------------------------------ all kinds

ServiceCache::Applied ServiceCache::erase(kube::ObjectKind kind, const kube::ObjectKey& key) {
  switch (kind) {
    case kube::ObjectKind::Service:
      return erase_service(key);
    case kube::ObjectKind::EndpointSlice:
      return erase_slice(key);
    case kube::ObjectKind::Namespace:
      return erase_namespace(key.name);
    case kube::ObjectKind::Pod:
      return erase_pod(key);
    case kube::ObjectKind::Node:
      return erase_node(key.name);
  }
  return Applied::Nothing;
}

//------------------------------------------------------------------ complete lists

// Calls visit(object) for each object of the kind; it may erase that one.
template <typename Visit>
void ServiceCache::for_each_of(kube::ObjectKind kind, Visit&& visit) {
  switch (kind) {
    case kube::ObjectKind::Service:
      return services_.for_each([&](ServiceRecord& record) {
        if (record.service != nullptr) {
          visit(*record.service);
        }
      });
    case kube::ObjectKind::EndpointSlice:
      return slices_.for_each(visit);
    case kube::ObjectKind::Namespace:
      return namespaces_.for_each([&](NamespaceRecord& record) {
        if (record.object != nullptr) {
          visit(record);
        }
      });
    case kube::ObjectKind::Pod:
      return pods_.for_each(visit);
    case kube::ObjectKind::Node:
      for (auto at = nodes_.begin(); at != nodes_.end();) {
        visit((at++)->second);
      }
      return;
  }
}

void ServiceCache::begin_relist(kube::ObjectKind kind) {
  relisting(kind) = true;
  for_each_of(kind, [](auto& object) { object.marked = false; });
}

bool ServiceCache::keep_in_relist(kube::ObjectKind kind, const kube::ObjectKey& key) noexcept {
  const auto keep = [](auto* object) {
    if (object != nullptr) {
      object->marked = true;
    }
    return object != nullptr;
  };
  switch (kind) {
    case kube::ObjectKind::Service: {
      const ServiceRecord* record = services_.find(view(key));
      return keep(record == nullptr ? nullptr : record->service);
    }
    case kube::ObjectKind::EndpointSlice:
      return keep(slices_.find(view(key)));
    case kube::ObjectKind::Namespace: {
      NamespaceRecord* record = namespaces_.find({{}, key.name});
      return keep(record == nullptr || record->object == nullptr ? nullptr : record);
    }
    case kube::ObjectKind::Pod:
      return keep(pods_.find(view(key)));
    case kube::ObjectKind::Node: {
      const auto at = nodes_.find(key.name);
      return keep(at == nodes_.end() ? nullptr : &at->second);
    }
  }
  return false;
}

void ServiceCache::end_relist(kube::ObjectKind kind, std::uint64_t version) {
  if (!std::exchange(relisting(kind), false)) {
    return;
  }
  for_each_of(kind, [&](auto& object) {
    if (!object.marked) {
      advance_resource_version(version);
      erase(object);
    }
  });
}

void ServiceCache::abandon_relist(kube::ObjectKind kind) noexcept {
  relisting(kind) = false;
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

//------------------------------------------------------------------ reading

std::optional<ServiceState> ServiceCache::find(const kube::ObjectKey& key) const {
  const ServiceRecord* record = services_.find(view(key));
  return record == nullptr ? std::nullopt : std::optional(state_of(*record));
}

const kube::Namespace* ServiceCache::find_namespace(std::string_view name) const noexcept {
  const NamespaceRecord* record = namespaces_.find({{}, name});
  return record == nullptr ? nullptr : record->object.get();
}

std::optional<kube::Pod> ServiceCache::find_pod(const kube::ObjectKey& key) const {
  const PodRecord* record = pods_.find(view(key));
  return record == nullptr ? std::nullopt : std::optional(unpack(*record));
}

void ServiceCache::for_each_service(const VisitService& visit) const {
  services_.for_each(
      [&](const ServiceRecord& record) { visit(object_key(record.key()), state_of(record)); });
}

void ServiceCache::for_each_service_in(std::string_view name_space,
                                       const VisitService& visit) const {
  const NamespaceRecord* home = namespaces_.find({{}, name_space});
  for (const ServiceRecord* record = home == nullptr ? nullptr : home->services; record != nullptr;
       record = record->next) {
    visit(object_key(record->key()), state_of(*record));
  }
}

void ServiceCache::for_each_namespace(
    const std::function<void(const kube::Namespace&)>& visit) const {
  namespaces_.for_each([&](const NamespaceRecord& record) {
    if (record.object != nullptr) {
      visit(*record.object);
    }
  });
}

void ServiceCache::for_each_pod(const VisitPod& visit) const {
  pods_.for_each([&](const PodRecord& record) { visit(unpack(record)); });
}

void ServiceCache::for_each_pod_in(std::string_view name_space, const VisitPod& visit) const {
  const NamespaceRecord* home = namespaces_.find({{}, name_space});
  for (const PodRecord* pod = home == nullptr ? nullptr : home->pods; pod != nullptr;
       pod = pod->next) {
    visit(unpack(*pod));
  }
}

void ServiceCache::for_each_service_key(const VisitKey& visit) const {
  services_.for_each(
      [&](const ServiceRecord& record) { visit(record.name_space->name, record.name()); });
}

void ServiceCache::for_each_pod_key(const VisitKey& visit) const {
  pods_.for_each([&](const PodRecord& record) { visit(record.name_space->name, record.name()); });
}

void ServiceCache::subscribe(Consumer& consumer) {
  consumers_.push_back(&consumer);
  static const ServiceState nothing;
  if (newest_resource_version_ != 0) {
    consumer.on_resource_version(newest_resource_version_);
  }
  for_each_service([&](const kube::ObjectKey& key, const ServiceState& state) {
    consumer.on_service({key, nothing, state});
  });
  for_each_pod([&](const kube::Pod& pod) { consumer.on_pod({nullptr, &pod}); });
  // After what lives in them: a consumer that now looks for that must not be told of it again.
  for_each_namespace([&](const kube::Namespace& one) { consumer.on_namespace({nullptr, &one}); });
  for_each_node([&](const kube::Node& node) { consumer.on_node({nullptr, &node}); });
  if (synced_) {
    consumer.on_synced();
  }
}

void ServiceCache::unsubscribe(Consumer& consumer) noexcept {
  std::erase(consumers_, &consumer);
}

}  // namespace waypost::cache
