// Which endpoints of a Service port are used from this node: readiness, topology, and what takes
// their place when none is ready (KEP-1669, KEP-2433, KEP-3015; kube-proxy's CategorizeEndpoints).

#pragma once

#include "proxy/service_port.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace waypost::proxy {

enum class Topology : std::uint8_t { Everywhere, SameZone, SameNode };

struct EndpointChoice {
  // Of view.endpoints, in their order; empty also when the Service never uses that kind.
  std::vector<const PortEndpoint*> cluster;
  std::vector<const PortEndpoint*> local;  // Topology does not matter here.
  // Some endpoint somewhere could take traffic, whether reachable by these policies or not.
  bool has_any = false;
  // How `cluster` came about.
  Topology topology = Topology::Everywhere;
  bool is_cluster_terminating = false;  // None is ready: those that still serve while they end.
  bool is_local_terminating = false;

  // What internal (ClusterIP) and external traffic can reach.
  bool has_internal(const ServicePortView& view) const noexcept {
    return view.is_internal_local ? !local.empty() : has_any;
  }
  bool has_external(const ServicePortView& view) const noexcept {
    return view.is_external_local ? !local.empty() : has_any;
  }
};

// Borrows from `view`.
EndpointChoice choose_endpoints(const ServicePortView& view, std::string_view node_name,
                                std::string_view zone);

}  // namespace waypost::proxy
