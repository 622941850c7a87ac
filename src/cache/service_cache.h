// The Services of the cluster, their EndpointSlices, and the Namespaces and Pods around them, as
// this process last saw them.
//
// A source puts and erases whole objects.  Every call that changes what a client could observe
// becomes one delta to each consumer, in order and complete: what was before, what is now.  An
// object equal to the one at hand but for its resourceVersion makes no delta.  Slices are grouped
// by the Service that they name, whether that Service is known yet or not.
//
// Not here: where objects come from (sources/), DNS names, TTLs and rcodes (records/).

#pragma once

#include "kube/objects.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace waypost::cache {

using SlicePointer = std::shared_ptr<const kube::EndpointSlice>;

// A Service with its slices at one moment.  `service` is null while only slices are known.
struct ServiceState {
  std::shared_ptr<const kube::Service> service;
  std::vector<SlicePointer> slices;  // In the order of their names.
};

// One change of one Service or of its slices.  Slices that did not change are the same pointers in
// both states, so that a consumer's work can be proportional to the change.
struct ServiceDelta {
  const kube::ObjectKey& key;
  const ServiceState& before;
  const ServiceState& after;
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
  // The source has delivered everything that existed when it started; called once.
  virtual void on_synced() = 0;
  // The newest resourceVersion has advanced; called before the change that advanced it, if any.
  virtual void on_resource_version(std::uint64_t version) = 0;
};

// One thread writes and reads: the control thread.
class ServiceCache {
 public:
  enum class Applied : std::uint8_t { Nothing, Added, Updated, Removed };

  ServiceCache();
  ~ServiceCache();
  ServiceCache(const ServiceCache&) = delete;
  ServiceCache& operator=(const ServiceCache&) = delete;

  // Folds in one object: added, or put in place of the one with the same key.
  Applied put(kube::Service service);
  Applied put(kube::EndpointSlice slice);
  Applied put(kube::Namespace name_space);
  Applied put(kube::Pod pod);

  // Forgets one object; Nothing when it is not there.
  Applied erase_service(const kube::ObjectKey& key);
  Applied erase_slice(const kube::ObjectKey& key);
  Applied erase_namespace(std::string_view name);
  Applied erase_pod(const kube::ObjectKey& key);

  // Says that everything was delivered once.  Further calls do nothing.
  void set_synced();
  bool is_synced() const noexcept { return synced_; }

  // The newest resourceVersion that any put() carried; never goes back.
  std::uint64_t newest_resource_version() const noexcept { return newest_resource_version_; }
  // Says that the source has seen `version`, also where no object carries it (a deletion).  An
  // older one changes nothing.
  void advance_resource_version(std::uint64_t version);

  // The Service with its slices, or nullptr when neither is known.  Valid until the next change.
  const ServiceState* find(const kube::ObjectKey& key) const noexcept;
  const kube::Namespace* find_namespace(std::string_view name) const noexcept;
  const kube::Pod* find_pod(const kube::ObjectKey& key) const noexcept;
  void for_each_service(
      const std::function<void(const kube::ObjectKey&, const ServiceState&)>& visit) const;
  void for_each_namespace(const std::function<void(const kube::Namespace&)>& visit) const;
  void for_each_pod(const std::function<void(const kube::Pod&)>& visit) const;

  struct Counts {
    std::size_t services = 0;
    std::size_t slices = 0;
    std::size_t endpoints = 0;  // Addresses in slices.
    std::size_t namespaces = 0;
    std::size_t pods = 0;
  };
  const Counts& counts() const noexcept { return counts_; }

  // Tells `consumer` of everything present, as additions, and of every change from now on, until
  // unsubscribe().  `consumer` is borrowed and outlives its subscription.
  void subscribe(Consumer& consumer);
  void unsubscribe(Consumer& consumer) noexcept;

 private:
  using Services = std::unordered_map<kube::ObjectKey, ServiceState, kube::ObjectKeyHash>;

  void publish(const kube::ObjectKey& key, const ServiceState& before, const ServiceState& after);
  Applied replace_slice(const kube::ObjectKey& key, const SlicePointer& slice);

  Services services_;
  std::unordered_map<kube::ObjectKey, SlicePointer, kube::ObjectKeyHash> slices_;
  std::unordered_map<std::string, kube::Namespace> namespaces_;
  std::unordered_map<kube::ObjectKey, kube::Pod, kube::ObjectKeyHash> pods_;
  std::vector<Consumer*> consumers_;
  Counts counts_;
  std::uint64_t newest_resource_version_ = 0;
  bool synced_ = false;
};

}  // namespace waypost::cache
