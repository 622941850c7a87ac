// Holds back what clients must not be told yet: addresses that no rules are in force for.
//
//     ServiceCache ──► rules ──► kernel ──┐ in force
//          └─────────► Gate ◄─────────────┘
//                       └──► records
//
// A Service that is new, or whose ClusterIPs or ports are others, is shown as it was (or not at
// all) until the rules that were made of it are in force.  What needs no rules does not wait:
// headless and external names, endpoints, Namespaces, Pods; nor does what goes: a Service that is
// gone, or an address that is no longer its own, is told at once, before the rules go.  When the
// control plane made a change is told with what shows it.
//
// Whoever makes rules sees the same deltas, from the same moment on, and counts them; the gate is
// opened up to a count.  What waits for too long is let through, so that a kernel that takes no
// rules does not take the names as well.
//
// Not here: rules (proxy/), names (records/).

#pragma once

#include "cache/feed.h"
#include "cache/service_cache.h"
#include "kube/objects.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace waypost::cache {

// One thread: that of the cache.
class Gate final : public Feed, private Consumer {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `cache` is borrowed and outlives this object.  Counts from here on; what the cache holds
  // already, it tells as any other change.  Before the cache is synced nothing is held back but
  // that it is.
  Gate(ServiceCache& cache, std::chrono::milliseconds max_hold);
  ~Gate() override;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void subscribe(Consumer& consumer) override;
  void unsubscribe(Consumer& consumer) noexcept override;
  void for_each_service_in(std::string_view name_space, const VisitService& visit) const override;
  void for_each_pod_in(std::string_view name_space, const VisitPod& visit) const override;

  // The rules of the first `changes` deltas of Services are in force.
  void open(std::uint64_t changes);
  // Lets through what has waited for `max_hold` by `now`, and returns how many Services that were;
  // the first list as a whole counts as one.
  std::size_t let_overdue_through(Time now);

  // Services that are held back.
  std::size_t held() const noexcept { return held_.size(); }
  // How often one was let through before its rules were in force.
  std::uint64_t overdue() const noexcept { return overdue_; }
  // Whether consumers have been told that everything was.
  bool is_synced() const noexcept { return synced_; }

 private:
  struct Held {
    ServicePointer shown;      // As consumers know it; unpacked, for the cache has it no more.
    std::uint64_t change = 0;  // The count of the delta that waits.
    Time since{};
    kube::ChangeTimes times;  // Of the first delta that waits: only that one tells any.
  };

  void on_service(const ServiceDelta& delta) override;
  void on_namespace(const ObjectDelta<kube::Namespace>& delta) override;
  void on_pod(const ObjectDelta<kube::Pod>& delta) override;
  void on_node(const ObjectDelta<kube::Node>& delta) override;
  void on_synced() override;
  void on_resource_version(std::uint64_t version) override;

  void on_held(Held& held, const ServiceDelta& delta);
  ServiceState shown(const kube::ObjectKey& key, const ServiceState& state) const;
  void tell(const kube::ObjectKey& key, const ServiceState& before, const ServiceState& after,
            const kube::ChangeTimes& times = {}) const;
  void let_through(const kube::ObjectKey& key, const Held& held) const;
  void tell_synced();

  ServiceCache& cache_;
  const std::chrono::milliseconds max_hold_;
  std::vector<Consumer*> consumers_;
  std::unordered_map<kube::ObjectKey, Held, kube::ObjectKeyHash> held_;
  std::uint64_t changes_ = 0;
  std::uint64_t newest_version_ = 0;
  // The cache is synced, since when and with which change.
  struct Synced {
    std::uint64_t change = 0;
    Time since{};
  };
  std::optional<Synced> source_synced_;
  bool synced_ = false;
  std::uint64_t overdue_ = 0;
};

}  // namespace waypost::cache
