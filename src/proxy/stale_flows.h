// Which tracked connections go nowhere after Services and endpoints have changed.
//
// Connection tracking keeps sending a known flow where its first packet went.  UDP has no end of a
// flow, so a client that keeps its port talks to a dead endpoint until it gives up (k8s#48370,
// k8s#139628, k8s#141371); a TCP client that only ever sent its SYN does the same (k8s#101607).
// Flows are stale by what changed: the endpoint has gone, the Service, its port or node port, all
// of its endpoints, or its policy leads elsewhere.
//
// Not here: walking the table (proxy/conntrack.h).

#pragma once

#include "base/ip_address.h"
#include "kube/objects.h"
#include "proxy/conntrack.h"
#include "proxy/service_port.h"

#include <cstddef>
#include <map>
#include <tuple>
#include <vector>

namespace waypost::proxy {

// Control thread only; a value.
class StaleFlows {
 public:
  // Notes what one Service's ports lost, and those that got their first endpoint.
  void note(const std::vector<ServicePortView>& before, const std::vector<ServicePortView>& after);
  // Notes the UDP ports of a Service that was there when this program started: its flows that lead
  // to no endpoint of today are stale.  Flows of Services that have gone while no program ran
  // cannot be told from others, and stay.
  void note_present(const std::vector<ServicePortView>& ports);

  // A node port has the unspecified address.
  using Key = std::tuple<IpAddress, std::uint16_t, kube::Protocol>;
  using Endpoints = std::vector<SocketAddress>;  // Sorted.
  using Frontends = std::map<Key, Endpoints>;
  // Where flows are right that come to a Service's ports.
  static Frontends frontends_of(const std::vector<ServicePortView>& ports);

  // Endpoints that there are by now, so that flows to them are right, although it was before them
  // that something was noted here.  Notes no new port.
  void learn(const Frontends& frontends);

  // Takes over what `other` noted, where this has not noted something later.  Of what would make it
  // more than `max_addresses` endpoints nothing is kept: those flows are left to their timeouts.
  // Returns of how many ports.
  std::size_t merge_older(StaleFlows other, std::size_t max_addresses = MaxAddresses);
  // Changes add up for as long as the kernel takes no rules or does not show its connections.
  static constexpr std::size_t MaxAddresses = std::size_t{1} << 20;  // About 24 octets each.

  bool empty() const noexcept { return frontends_.empty(); }
  std::size_t size() const noexcept { return frontends_.size(); }

  // Whether something was noted about where the flow went at first.
  bool knows(const Flow& flow, const std::vector<IpAddress>& own_addresses) const {
    return find(flow, own_addresses) != nullptr;
  }
  // `own_addresses`, sorted, are where node ports are served.
  bool is_stale(const Flow& flow, const std::vector<IpAddress>& own_addresses) const;

 private:
  struct Frontend {
    Endpoints alive;       // Flows to them are right.
    bool is_there = true;  // Otherwise only flows to `dead` are known to have been ours.
    Endpoints dead;
    std::size_t weight() const noexcept { return 1 + alive.size() + dead.size(); }
  };
  const Frontend* find(const Flow& flow, const std::vector<IpAddress>& own_addresses) const;

  std::map<Key, Frontend> frontends_;
};

}  // namespace waypost::proxy
