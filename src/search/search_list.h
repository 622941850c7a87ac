// The domains that a Pod's resolver tries one after the other for a name that it takes to be
// relative.
//
// They are what the kubelet writes into the Pod's /etc/resolv.conf (node/pod_dns.h), in the form
// that look-ups take.
//
// Not here: whose they are (search/pod_directory.h), the names that they make (search/walk.h).

#pragma once

#include "base/bytes.h"
#include "dns/name.h"
#include "kube/objects.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::search {

// What the lists of all Pods have in common.
struct SearchSurroundings {
  dns::Name zone;                  // The cluster domain.
  std::vector<std::string> hosts;  // The search domains of the nodes' own resolver files.

  friend bool operator==(const SearchSurroundings&, const SearchSurroundings&) = default;
};

// Immutable once made; at most some three thousand octets (node::MaxSearchListLength).
class SearchList {
 public:
  // The list of a Pod in `name_space`.
  SearchList(std::string_view name_space, const kube::PodSearch& pod,
             const SearchSurroundings& surroundings);

  // One of the domains.
  struct Domain {
    Bytes wire;  // Lower case, with root.
    std::uint8_t labels = 0;
    bool is_in_zone = false;  // The cluster's domain, or below it.
  };

  // No two lists of a process have the same; never 0.
  std::uint64_t id() const noexcept { return id_; }
  std::size_t size() const noexcept { return domains_.size(); }
  Domain operator[](std::size_t index) const noexcept {
    const Place& place = domains_[index];
    return {as_bytes(octets_).subspan(place.at, place.size), place.labels, place.is_in_zone};
  }
  // A name with fewer dots is tried with the domains first (resolv.conf(5)).
  unsigned ndots() const noexcept { return ndots_; }
  // The first domain is NAMESPACE.svc.ZONE, and each of them is known: only then can names be
  // completed in the Pod's place.
  bool is_cluster_first() const noexcept { return is_cluster_first_; }
  // What follows the domains' own name: the cluster's domain, in wire form.
  const dns::Name& zone() const noexcept { return zone_; }

  // About how much it occupies.
  std::size_t bytes() const noexcept {
    return sizeof *this + octets_.capacity() + domains_.capacity() * sizeof(Place);
  }

 private:
  struct Place {
    std::uint16_t at;
    std::uint8_t size;
    std::uint8_t labels;
    bool is_in_zone;
  };
  bool add(const std::string& domain);

  const std::uint64_t id_;
  std::string octets_;
  std::vector<Place> domains_;
  dns::Name zone_;
  unsigned ndots_ = 1;
  bool is_cluster_first_ = false;
};

}  // namespace waypost::search
