// What changes in the world, change by change, for those who make something of it.

#pragma once

#include "cache/service_state.h"
#include "kube/objects.h"

#include <cstdint>
#include <functional>
#include <string_view>

namespace waypost::cache {

// One change of one Service or of its slices.  Slices that did not change are equal handles in both
// states, so that a consumer's work can be proportional to the change.
struct ServiceDelta {
  const kube::ObjectKey& key;
  const ServiceState& before;
  const ServiceState& after;
  // When the control plane made the change, as far as the object tells; its creation only where it
  // is new.  Nothing in a delta that no object has just caused.
  kube::ChangeTimes times = {};
};

// One change of an object that stands alone; null means absent.
template <typename T>
struct ObjectDelta {
  const T* before;
  const T* after;
};

// Who wants to know.  Called on the writer's thread, inside put() and erase_*(); must not call back
// into the cache except to read it.
class Consumer {
 public:
  virtual ~Consumer() = default;
  virtual void on_service(const ServiceDelta& delta) = 0;
  virtual void on_namespace(const ObjectDelta<kube::Namespace>& delta) = 0;
  virtual void on_pod(const ObjectDelta<kube::Pod>& delta) = 0;
  virtual void on_node(const ObjectDelta<kube::Node>&) {}  // Names have no use for Nodes.
  // The source has delivered everything that existed when it started; called once.
  virtual void on_synced() = 0;
  // The newest resourceVersion has advanced; called before the change that advanced it, if any.
  virtual void on_resource_version(std::uint64_t version) = 0;
};

// Where a consumer gets the world from: a ServiceCache, or who stands between (cache/gate.h).
class Feed {
 public:
  using VisitService = std::function<void(const kube::ObjectKey&, const ServiceState&)>;
  using VisitPod = std::function<void(const kube::Pod&)>;

  virtual ~Feed() = default;

  // Tells `consumer` of everything present, as additions, and of every change from now on, until
  // unsubscribe().  `consumer` is borrowed and outlives its subscription.
  virtual void subscribe(Consumer& consumer) = 0;
  virtual void unsubscribe(Consumer& consumer) noexcept = 0;

  // What consumers have been told.
  virtual void for_each_service_in(std::string_view name_space,
                                   const VisitService& visit) const = 0;
  virtual void for_each_pod_in(std::string_view name_space, const VisitPod& visit) const = 0;
};

}  // namespace waypost::cache
