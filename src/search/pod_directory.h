// Who asks: the Pod behind an address, and the search list that its resolver goes through.
//
// An address tells of a Pod only when there is no doubt: exactly one Pod that has not ended has it,
// and none of them shares the host's network.  All of status.podIPs count.
//
// A table of pointers to one small node for each address, open addressing, changed in place while
// readers look: about 70 octets for an address with what the allocator adds.  Lists are shared by
// all Pods of a namespace that say the same of their DNS; nearly always that is one for a
// namespace.
//
// Not here: what becomes of it (search/walk.h).

#pragma once

#include "base/ip_address.h"
#include "base/rcu.h"
#include "cache/feed.h"
#include "kube/objects.h"
#include "search/search_list.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

namespace waypost::search {

enum class Identity : std::uint8_t {
  Pod,          // One Pod, whose list is known.
  Unknown,      // No Pod has the address, or nothing is known of how it finds names.
  HostNetwork,  // The address is a node's.
  Shared,       // Several Pods have it.
};

struct Caller {
  Identity identity = Identity::Unknown;
  const SearchList* list = nullptr;  // Of Pod alone.  Good inside the section it was found in.
};

// One writer, the control thread; find() is for any number of readers, each inside an
// rcu::ReadSection.
class PodDirectory final : public cache::Consumer {
 public:
  // Follows `feed`, which is borrowed like `retired` and outlives this object.
  PodDirectory(cache::Feed& feed, SearchSurroundings surroundings, rcu::RetireList& retired);
  // REQUIRES: no reader is left.
  ~PodDirectory() override;
  PodDirectory(const PodDirectory&) = delete;
  PodDirectory& operator=(const PodDirectory&) = delete;

  // One probe and, where there is a Pod, two dependent loads.  No lock, no allocation.
  Caller find(const IpAddress& address) const noexcept;

  // Other domains for everybody, from now on.
  void set_surroundings(SearchSurroundings surroundings);

  // Addresses that are known, whoever has them, and the lists that they have together.  Control
  // thread.
  std::size_t address_count() const noexcept { return count_; }
  std::size_t list_count() const noexcept { return profiles_.size(); }

  void on_service(const cache::ServiceDelta&) override {}
  void on_namespace(const cache::ObjectDelta<kube::Namespace>&) override {}
  void on_pod(const cache::ObjectDelta<kube::Pod>& delta) override;
  void on_synced() override {}
  void on_resource_version(std::uint64_t) override {}

 private:
  // What Pods of a namespace that find names alike have in common, or why nothing is known.
  struct Profile;
  struct Node;
  struct Slots;
  using Key = std::pair<std::string, kube::PodSearch>;

  Profile& profile_of(const kube::Pod& pod);
  void claim(const kube::Pod& pod);
  void release(const kube::Pod& pod);
  void settle(Node& node);
  Node* find_node(const IpAddress& address) const noexcept;
  Node& node_at(const IpAddress& address);
  void insert(Slots& slots, Node& node) noexcept;
  void rebuild();

  cache::Feed& feed_;
  rcu::RetireList& retired_;
  SearchSurroundings surroundings_;
  const std::unique_ptr<Profile> unknown_;
  const std::unique_ptr<Profile> host_;
  const std::unique_ptr<Profile> several_;
  std::map<Key, std::unique_ptr<Profile>> profiles_;
  std::atomic<Slots*> slots_;
  std::size_t count_ = 0;  // Nodes with a claim.
  std::size_t used_ = 0;   // All nodes: those without one stay until the table is made anew.
  // Of addresses that several Pods have, the profiles of all of them.
  std::unordered_multimap<IpAddress, Profile*, IpAddressHash> shared_;
};

}  // namespace waypost::search
