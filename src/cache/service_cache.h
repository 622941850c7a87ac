// The Services of the cluster, their EndpointSlices, and the Namespaces, Pods and Nodes around
// them, as this process last saw them.
//
// A source puts and erases whole objects.  Every call that changes what a client could observe
// becomes one delta to each consumer, in order and complete: what was before, what is now.  An
// object equal to the one at hand but for its resourceVersion makes no delta.  Slices are grouped
// by the Service that they name, whether that Service is known yet or not.
//
// Objects are held packed (cache/packed_objects.h), about 340 octets for a Service and its slice of
// ten IPv4 endpoints; README has what is measured.
//
// Not here: where objects come from (sources/), DNS names, TTLs and rcodes (records/).

#pragma once

#include "cache/feed.h"
#include "cache/packed_objects.h"
#include "cache/record_set.h"
#include "cache/service_state.h"
#include "kube/objects.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::cache {

struct NamespaceRecord;
struct PodRecord;
struct ServiceRecord;

// One thread writes and reads: the control thread.
class ServiceCache final : public Feed {
 public:
  enum class Applied : std::uint8_t { Nothing, Added, Updated, Removed };

  explicit ServiceCache(const Kept& kept = {});
  ~ServiceCache() override;
  ServiceCache(const ServiceCache&) = delete;
  ServiceCache& operator=(const ServiceCache&) = delete;

  const Kept& kept() const noexcept { return kept_; }

  // Folds in one object: added, or put in place of the one with the same key.  Of an equal object
  // only the resourceVersion is taken over.
  Applied put(kube::Service service);
  Applied put(kube::EndpointSlice slice);
  Applied put(kube::Namespace name_space);
  Applied put(kube::Pod pod);
  Applied put(kube::Node node);

  // Forgets one object; Nothing when it is not there.
  Applied erase_service(const kube::ObjectKey& key);
  Applied erase_slice(const kube::ObjectKey& key);
  Applied erase_namespace(std::string_view name);
  Applied erase_pod(const kube::ObjectKey& key);
  Applied erase_node(std::string_view name);
  // The same for an object of `kind`; the key of what has no namespace has an empty one.
  Applied erase(kube::ObjectKind kind, const kube::ObjectKey& key);

  // Finds out what a new complete list no longer has.  Between begin_relist() and end_relist()
  // every object of that kind that is put stays, the others are erased by end_relist(), which first
  // advances the newest version to `version` if there are any.  keep_in_relist() lets one stay that
  // the list has and that cannot be put; returns false when it is not there.  After
  // abandon_relist() everything stays.
  void begin_relist(kube::ObjectKind kind);
  bool keep_in_relist(kube::ObjectKind kind, const kube::ObjectKey& key) noexcept;
  void end_relist(kube::ObjectKind kind, std::uint64_t version);
  void abandon_relist(kube::ObjectKind kind) noexcept;

  // Says that everything was delivered once.  Further calls do nothing.
  void set_synced();
  bool is_synced() const noexcept { return synced_; }

  // The newest resourceVersion that any put() carried; never goes back.
  std::uint64_t newest_resource_version() const noexcept { return newest_resource_version_; }
  // Says that the source has seen `version`, also where no object carries it (a deletion).  An
  // older one changes nothing.
  void advance_resource_version(std::uint64_t version);

  // The Service with its slices, or nothing when neither is known.  Its handles are valid until the
  // next change.
  std::optional<ServiceState> find(const kube::ObjectKey& key) const;
  // Valid until the next change.
  const kube::Namespace* find_namespace(std::string_view name) const noexcept;
  std::optional<kube::Pod> find_pod(const kube::ObjectKey& key) const;
  // Valid until the next change.
  const kube::Node* find_node(std::string_view name) const noexcept;

  void for_each_service(const VisitService& visit) const;
  void for_each_service_in(std::string_view name_space, const VisitService& visit) const override;
  void for_each_namespace(const std::function<void(const kube::Namespace&)>& visit) const;
  void for_each_pod(const VisitPod& visit) const;
  void for_each_pod_in(std::string_view name_space, const VisitPod& visit) const override;
  void for_each_node(const std::function<void(const kube::Node&)>& visit) const;

  // The keys alone, borrowed for the call: unpacks and allocates nothing.
  using VisitKey = std::function<void(std::string_view name_space, std::string_view name)>;
  void for_each_service_key(const VisitKey& visit) const;
  void for_each_pod_key(const VisitKey& visit) const;

  struct Counts {
    std::size_t services = 0;
    std::size_t slices = 0;
    std::size_t endpoints = 0;  // Addresses in slices.
    std::size_t namespaces = 0;
    std::size_t pods = 0;
    std::size_t nodes = 0;
  };
  const Counts& counts() const noexcept { return counts_; }

  void subscribe(Consumer& consumer) override;
  void unsubscribe(Consumer& consumer) noexcept override;

 private:
  std::string_view pack_object(const auto& object);

  NamespaceRecord& namespace_record(std::string_view name);
  void drop_if_unused(NamespaceRecord& record) noexcept;
  ServiceRecord& service_record(std::string_view name_space, std::string_view name);
  void drop_if_unused(ServiceRecord& record) noexcept;

  void publish(const ServiceRecord& record, const ServiceState& before,
               const kube::ChangeTimes& times = {});
  Applied erase(NamespaceRecord& record);
  Applied erase(PackedService& service);
  Applied erase(SliceRecord& slice);
  Applied erase(PodRecord& pod);
  struct NodeRecord;
  Applied erase(NodeRecord& node);
  void insert_into_service(SliceRecord& slice, const kube::ChangeTimes& times);
  void remove_from_service(SliceRecord& slice);

  bool& relisting(kube::ObjectKind kind) noexcept {
    return relisting_[static_cast<std::size_t>(kind)];
  }
  template <typename Visit>
  void for_each_of(kube::ObjectKind kind, Visit&& visit);

  const Kept kept_;
  RecordSet<NamespaceRecord> namespaces_;
  RecordSet<ServiceRecord> services_;
  RecordSet<SliceRecord> slices_;
  RecordSet<PodRecord> pods_;
  // There are few, and only the program of a node has them.
  struct NodeRecord {
    kube::Node object;
    bool marked = true;
  };
  std::map<std::string, NodeRecord, std::less<>> nodes_;
  std::array<bool, kube::ObjectKindCount> relisting_{};
  std::string packed_;  // The object at hand, kept for its memory.
  std::vector<Consumer*> consumers_;
  Counts counts_;
  std::uint64_t newest_resource_version_ = 0;
  bool synced_ = false;
};

}  // namespace waypost::cache
