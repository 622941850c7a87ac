#include "cache/gate.h"

#include <algorithm>
#include <utility>

namespace waypost::cache {
namespace {

bool has_rules(const kube::Service& service) {
  return !service.headless && service.type != kube::ServiceType::ExternalName;
}

// Whether the answers to clients, being those of `after`, lead to where rules have to be first.
bool needs_rules(const ServicePointer& before, const ServicePointer& after) {
  return has_rules(*after) &&
         (!before || !has_rules(*before) || before->cluster_ips != after->cluster_ips ||
          before->ports != after->ports);
}

bool loses_address(const kube::Service& before, const kube::Service& after) {
  return std::any_of(
      before.cluster_ips.begin(), before.cluster_ips.end(), [&](const IpAddress& address) {
        return std::find(after.cluster_ips.begin(), after.cluster_ips.end(), address) ==
               after.cluster_ips.end();
      });
}

}  // namespace

Gate::Gate(ServiceCache& cache, std::chrono::milliseconds max_hold)
    : cache_(cache), max_hold_(max_hold) {
  cache_.subscribe(*this);
}

Gate::~Gate() {
  cache_.unsubscribe(*this);
}

//------------------------------------------------------------------ consumers

void Gate::subscribe(Consumer& consumer) {
  consumers_.push_back(&consumer);
  static const ServiceState nothing;
  if (newest_version_ != 0) {
    consumer.on_resource_version(newest_version_);
  }
  cache_.for_each_service([&](const kube::ObjectKey& key, const ServiceState& state) {
    consumer.on_service({key, nothing, shown(key, state)});
  });
  cache_.for_each_pod([&](const kube::Pod& pod) { consumer.on_pod({nullptr, &pod}); });
  cache_.for_each_namespace(
      [&](const kube::Namespace& one) { consumer.on_namespace({nullptr, &one}); });
  cache_.for_each_node([&](const kube::Node& node) { consumer.on_node({nullptr, &node}); });
  if (synced_) {
    consumer.on_synced();
  }
}

void Gate::unsubscribe(Consumer& consumer) noexcept {
  std::erase(consumers_, &consumer);
}

ServiceState Gate::shown(const kube::ObjectKey& key, const ServiceState& state) const {
  const auto held = held_.find(key);
  return held == held_.end() ? state : ServiceState{held->second.shown, state.slices};
}

void Gate::for_each_service_in(std::string_view name_space, const VisitService& visit) const {
  cache_.for_each_service_in(name_space,
                             [&](const kube::ObjectKey& key, const ServiceState& state) {
                               visit(key, shown(key, state));
                             });
}

void Gate::for_each_pod_in(std::string_view name_space, const VisitPod& visit) const {
  cache_.for_each_pod_in(name_space, visit);
}

void Gate::tell(const kube::ObjectKey& key, const ServiceState& before, const ServiceState& after,
                const kube::ChangeTimes& times) const {
  for (Consumer* consumer : consumers_) {
    consumer->on_service({key, before, after, times});
  }
}

//------------------------------------------------------------------ the world changes

void Gate::on_service(const ServiceDelta& delta) {
  ++changes_;
  const auto found = held_.find(delta.key);
  if (found != held_.end()) {
    return on_held(found->second, delta);
  }
  const bool waits = source_synced_ && delta.after.service &&
                     delta.before.service != delta.after.service &&
                     needs_rules(delta.before.service, delta.after.service);
  if (!waits) {
    return tell(delta.key, delta.before, delta.after, delta.times);
  }
  // Held first, so that who looks while being told sees what it is told.
  Held& held = held_
                   .emplace(delta.key, Held{delta.before.service, changes_,
                                            std::chrono::steady_clock::now(), delta.times})
                   .first->second;
  if (held.shown) {
    (void)held.shown.share();
    if (loses_address(*held.shown, *delta.after.service)) {
      const ServicePointer lost = std::exchange(held.shown, {});
      tell(delta.key, {lost, delta.before.slices}, {nullptr, delta.after.slices});
    }
  }
}

void Gate::on_held(Held& held, const ServiceDelta& delta) {
  const ServiceState before{held.shown, delta.before.slices};
  const bool is_other_service = delta.before.service != delta.after.service;
  if (!is_other_service) {
    return tell(delta.key, before, {held.shown, delta.after.slices}, delta.times);
  }
  if (!delta.after.service || !needs_rules(held.shown, delta.after.service)) {
    held_.erase(delta.key);
    return tell(delta.key, before, delta.after, delta.times);
  }
  held.change = changes_;
  if (held.shown && loses_address(*held.shown, *delta.after.service)) {
    held.shown = nullptr;
    tell(delta.key, before, {nullptr, delta.after.slices});
  }
}

void Gate::on_namespace(const ObjectDelta<kube::Namespace>& delta) {
  for (Consumer* consumer : consumers_) {
    consumer->on_namespace(delta);
  }
}

void Gate::on_pod(const ObjectDelta<kube::Pod>& delta) {
  for (Consumer* consumer : consumers_) {
    consumer->on_pod(delta);
  }
}

void Gate::on_node(const ObjectDelta<kube::Node>& delta) {
  for (Consumer* consumer : consumers_) {
    consumer->on_node(delta);
  }
}

void Gate::on_resource_version(std::uint64_t version) {
  newest_version_ = version;
  for (Consumer* consumer : consumers_) {
    consumer->on_resource_version(version);
  }
}

void Gate::on_synced() {
  source_synced_ = Synced{changes_, std::chrono::steady_clock::now()};
}

void Gate::tell_synced() {
  synced_ = true;
  for (Consumer* consumer : consumers_) {
    consumer->on_synced();
  }
}

//------------------------------------------------------------------ rules follow

void Gate::let_through(const kube::ObjectKey& key, const Held& held) const {
  if (const auto state = cache_.find(key)) {
    tell(key, {held.shown, state->slices}, *state, held.times);
  }
}

void Gate::open(std::uint64_t changes) {
  for (auto at = held_.begin(); at != held_.end();) {
    if (at->second.change > changes) {
      ++at;
      continue;
    }
    const auto released = held_.extract(at++);
    let_through(released.key(), released.mapped());
  }
  if (!synced_ && source_synced_ && source_synced_->change <= changes) {
    tell_synced();
  }
}

std::size_t Gate::let_overdue_through(Time now) {
  std::size_t count = 0;
  for (auto at = held_.begin(); at != held_.end();) {
    if (now - at->second.since < max_hold_) {
      ++at;
      continue;
    }
    const auto released = held_.extract(at++);
    let_through(released.key(), released.mapped());
    ++count;
  }
  if (!synced_ && source_synced_ && now - source_synced_->since >= max_hold_) {
    tell_synced();
    ++count;
  }
  overdue_ += count;
  return count;
}

}  // namespace waypost::cache
