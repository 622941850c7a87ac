// Keeps an Index equal to the world: every delta of a feed becomes the few changes of
// names that it means.
//
// The one writer of an index.  It applies the operator's filters, names endpoints, orders PTR
// records, finds the zone's name servers, and derives the SOA serial from the newest
// resourceVersion.  Work is proportional to the changed slices, plus one copy of the Service's
// version: four octets for each IPv4 endpoint.  Keeps nothing of its own about Services: what is
// published is found in the index.
//
// Not here: answering (records/index.h), merging and diffing objects (cache/).

#pragma once

#include "base/rcu.h"
#include "cache/feed.h"
#include "records/endpoint_changes.h"
#include "records/index.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
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
  // Builds an index of what `feed` has told by now and follows it.  `feed` and `retired` outlive
  // this object.
  Publisher(const Options& options, cache::Feed& feed, rcu::RetireList& retired);
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
  // A name that an address leads back to.
  struct ReverseName {
    const ServiceNode* service;
    std::string label;  // Of an endpoint's name, with its length octet; empty: the Service's own.
    std::string text;   // The whole name in presentation form, once there are several.
    bool is_hostname;   // Of a headless Service.
  };

  bool is_exposed(const kube::Namespace& name_space) const;
  bool is_published(const cache::ServiceState& state) const;
  ServiceNode* find_service(const kube::ObjectKey& key) const;
  void update_service(const kube::ObjectKey& key, const cache::ServiceState& before,
                      const cache::ServiceState& after);
  void withdraw_service(ServiceNode& node);
  EndpointChanges changes_of(const ServiceNode& node, const cache::ServiceState& before,
                             const cache::ServiceState& after);
  void count_oversized_ports(const ServiceNode& node, const ServiceData* before,
                             const ServiceData& after);

  bool is_reverse_name_served(const IpAddress& address) const;
  Entry find_address(const OwnerName& name, const ServiceNode& service, NodeKind own) const;
  void update_address(const IpAddress& address, const ServiceNode& service,
                      const ServiceData* before, const ServiceData* after);
  static void add_names(const ServiceNode& service, const ServiceData& data,
                        const IpAddress& address, std::vector<ReverseName>& names);
  static std::vector<ReverseName> names_of(const Entry& entry, const IpAddress& address,
                                           const ServiceNode& except);
  void put_address(const IpAddress& address, const OwnerName& name, const Entry& before,
                   std::vector<ReverseName> names);
  void count_branches(const IpAddress& address, int change);

  void add_fixed_names();
  void show_namespace(const std::string& name);
  void hide_namespace(const std::string& name);
  void update_pod(const kube::Pod* before, const kube::Pod* after);
  void count_pod_name(const std::string& name_space, const IpAddress& address, int change);
  void note_name_server(const kube::ObjectKey& key);
  void update_name_servers();

  Entry find(const OwnerName& name, NodeKind kind) const;
  // False, and the node is discarded, when the name is longer than names can be.
  bool insert(const OwnerName& name, const Entry& entry);
  void remove(const OwnerName& name, const Entry& entry);

  void retire_node(const Entry& entry);

  Options options_;
  cache::Feed& feed_;
  rcu::RetireList& retired_;
  Index index_;

  std::unordered_map<std::string, std::unique_ptr<NamespaceNode>> namespaces_;  // Exposed ones.
  std::set<kube::ObjectKey> own_services_;  // Services that have this server as a ready endpoint.
  std::unique_ptr<const NameServers> name_servers_;
  std::size_t oversized_ = 0;
};

}  // namespace waypost::records
