// Keeps an Index equal to the world: every delta of the ServiceCache becomes the few changes of
// names that it means.
//
// The one writer of an index.  It applies the operator's filters, names endpoints, orders PTR
// records, finds the zone's name servers, and derives the SOA serial from the newest
// resourceVersion.  Work is proportional to the changed slices; a headless Service's address list
// is written anew as a whole.
//
// Not here: answering (records/index.h), merging and diffing objects (cache/).

#pragma once

#include "base/rcu.h"
#include "cache/service_cache.h"
#include "records/index.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace waypost::dns {
struct Record;
}

namespace waypost::records {

class OwnerName;

// The Service that names the zone's servers when none leads to this very one.
inline const kube::ObjectKey DefaultNameService{"kube-system", "kube-dns"};

// Control thread only.  Readers of index() see each name's change whole; nothing makes them wait.
class Publisher final : public cache::Consumer {
 public:
  // Builds an index of what `cache` holds now and follows it.  `cache` and `retired` outlive this
  // object.
  Publisher(const Options& options, cache::ServiceCache& cache, rcu::RetireList& retired);
  // Stops following.  The caller has taken index() away from readers and waited
  // (rcu::synchronize()).
  ~Publisher() override;
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  const Index& index() const noexcept { return index_; }

  // How often a name was not published because it would be longer than 255 octets.
  std::size_t oversized_names() const noexcept { return oversized_; }

  // Calls `visit` with every record of the cluster's forward zone, SOA first, in a fixed order: the
  // content of a zone transfer without its closing SOA.  Pods' names only in verified mode; in
  // insecure mode they are made from questions and cannot be listed.
  void for_each_record(const std::function<void(const dns::Record&)>& visit) const;

  void on_service(const cache::ServiceDelta& delta) override;
  void on_namespace(const cache::ObjectDelta<kube::Namespace>& delta) override;
  void on_pod(const cache::ObjectDelta<kube::Pod>& delta) override;
  void on_synced() override;
  void on_resource_version(std::uint64_t version) override;

 private:
  // What is published of one Service.
  struct Published {
    std::unique_ptr<ServiceNode> node;
    std::unique_ptr<const ServiceData> data;
    std::vector<IpAddress> cluster_ips;  // With PTR records.
    bool is_named = false;               // The Service's own name is in the table.
  };
  using Services = std::unordered_map<kube::ObjectKey, Published, kube::ObjectKeyHash>;

  // One address that an endpoint name gains (copies 1) or loses (copies -1).
  struct EndpointChange {
    std::string label;
    bool has_hostname;
    IpAddress address;
    const PortGroup* ports;
    int copies;
  };
  // How endpoint names of a Service were replaced; null: was not there, or is gone.
  using Replaced = std::vector<std::pair<const EndpointNode*, const EndpointNode*>>;

  bool is_exposed(const kube::Namespace& name_space) const;
  bool is_published(const cache::ServiceState& state) const;
  void update_service(const kube::ObjectKey& key, const cache::ServiceState& before,
                      const cache::ServiceState& state);
  void withdraw_service(Services::iterator at, const cache::ServiceState& before);
  Replaced update_endpoints(const ServiceNode& service, const cache::ServiceState& before,
                            const cache::ServiceState& after);
  std::pair<const EndpointNode*, const EndpointNode*> update_endpoint(
      const ServiceNode& service, std::span<const EndpointChange> changes);
  void update_ports(const ServiceNode& node, const ServiceData* before, const ServiceData* after);
  void update_address(const IpAddress& address, const EndpointNode* before,
                      const EndpointNode* after);
  bool is_reverse_name_served(const IpAddress& address) const;
  void update_cluster_ips(Published& published, const std::vector<IpAddress>& addresses);
  void update_address_services(const IpAddress& address, const ServiceNode* before,
                               const ServiceNode* after);
  void put_address(const IpAddress& address, const Entry& before, AddressNode names);
  void count_branches(const IpAddress& address, int change);
  std::string endpoint_label(const kube::EndpointSlice& slice,
                             const kube::Endpoint& endpoint) const;
  // What the ready endpoints of `after` gain and lose against those of `before`, sorted by label.
  std::vector<EndpointChange> changes_of(const std::vector<cache::SlicePointer>& before,
                                         const std::vector<cache::SlicePointer>& after);

  void add_fixed_names();
  void show_namespace(const std::string& name);
  void hide_namespace(const std::string& name);
  void update_pod(const kube::Pod* before, const kube::Pod* after);
  void count_pod_name(const std::string& name_space, const IpAddress& address, int change);
  void note_name_server(const kube::ObjectKey& key, const cache::ServiceState& state);
  void update_name_servers();

  const PortGroup* share_ports(const PortGroup& ports);
  void hold_ports(const PortGroup* ports, int change);
  void drop_unused_ports();

  Entry find(const OwnerName& name, NodeKind kind) const;
  // False, and the node is discarded, when the name is longer than names can be.
  bool insert(const OwnerName& name, const Entry& entry);
  void remove(const OwnerName& name, const Entry& entry);

  // Keeps an object that may still be seen until collect_garbage(), when the delta is applied.
  template <typename T, typename Deleter>
  void discard(std::unique_ptr<T, Deleter> object, std::size_t bytes);
  void discard_node(const Entry& entry);
  void collect_garbage();

  Options options_;
  cache::ServiceCache& cache_;
  rcu::RetireList& retired_;
  Index index_;

  Services services_;
  std::unordered_map<std::string, std::unique_ptr<NamespaceNode>> namespaces_;  // Exposed ones.
  std::set<kube::ObjectKey> own_services_;  // Services that have this server as a ready endpoint.
  struct PortGroupOrder {
    bool operator()(const PortGroup& left, const PortGroup& right) const noexcept;
  };
  // Each distinct port list once, with how many members of endpoints use it.
  struct SharedPorts {
    std::unique_ptr<const PortGroup> ports;
    std::size_t users = 0;
  };
  std::map<PortGroup, SharedPorts, PortGroupOrder> port_groups_;
  std::vector<const PortGroup*> touched_ports_;  // By the delta at hand.
  std::unique_ptr<const NameServers> name_servers_;
  std::size_t oversized_ = 0;

  struct Garbage {
    void* object;
    void (*retire)(rcu::RetireList& retired, void* object, std::size_t bytes);
    std::size_t bytes;
  };
  std::vector<Garbage> garbage_;
};

template <typename T, typename Deleter>
void Publisher::discard(std::unique_ptr<T, Deleter> object, std::size_t bytes) {
  if (object == nullptr) {
    return;
  }
  garbage_.push_back({const_cast<void*>(static_cast<const void*>(object.release())),
                      [](rcu::RetireList& retired, void* pointer, std::size_t size) {
                        retired.retire(std::unique_ptr<T, Deleter>(static_cast<T*>(pointer)), size);
                      },
                      bytes});
}

}  // namespace waypost::records
