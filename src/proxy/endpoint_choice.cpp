#include "proxy/endpoint_choice.h"

#include "kube/traffic.h"

#include <algorithm>

namespace waypost::proxy {
namespace {

bool is_fallback(const PortEndpoint& endpoint) noexcept {
  return endpoint.serving && endpoint.terminating;
}

// A hint counts only when every ready endpoint has one of its kind: otherwise the hints are of two
// generations, and following them could overload a few.
Topology choose_topology(const ServicePortView& view, std::string_view node_name,
                         std::string_view zone) noexcept {
  bool has_ready = false;
  bool all_for_nodes = true;
  bool all_for_zones = true;
  bool some_for_node = false;
  bool some_for_zone = false;
  for (const PortEndpoint& endpoint : view.endpoints) {
    if (endpoint.ready) {
      has_ready = true;
      all_for_nodes = all_for_nodes && !endpoint.node_hints.empty();
      all_for_zones = all_for_zones && !endpoint.zone_hints.empty();
      some_for_node = some_for_node || kube::has_name(endpoint.node_hints, node_name);
      some_for_zone = some_for_zone || kube::has_name(endpoint.zone_hints, zone);
    }
  }
  if (has_ready && all_for_nodes && some_for_node) {
    return Topology::SameNode;
  }
  return has_ready && all_for_zones && some_for_zone ? Topology::SameZone : Topology::Everywhere;
}

template <typename Predicate>
std::vector<const PortEndpoint*> select(const ServicePortView& view, Predicate wanted) {
  std::vector<const PortEndpoint*> out;
  for (const PortEndpoint& endpoint : view.endpoints) {
    if (wanted(endpoint)) {
      out.push_back(&endpoint);
    }
  }
  return out;
}

}  // namespace

EndpointChoice choose_endpoints(const ServicePortView& view, std::string_view node_name,
                                std::string_view zone) {
  EndpointChoice choice;
  if (view.uses_cluster()) {
    choice.topology = choose_topology(view, node_name, zone);
    choice.cluster = select(view, [&](const PortEndpoint& endpoint) {
      switch (choice.topology) {
        case Topology::Everywhere:
          return endpoint.ready;
        case Topology::SameZone:
          return endpoint.ready && kube::has_name(endpoint.zone_hints, zone);
        case Topology::SameNode:
          return endpoint.ready && kube::has_name(endpoint.node_hints, node_name);
      }
      return false;
    });
    if (choice.cluster.empty()) {
      choice.cluster = select(view, is_fallback);
      choice.is_cluster_terminating = !choice.cluster.empty();
    }
  }
  if (view.uses_local()) {
    choice.local = select(
        view, [](const PortEndpoint& endpoint) { return endpoint.is_local && endpoint.ready; });
    if (choice.local.empty()) {
      choice.local = select(view, [](const PortEndpoint& endpoint) {
        return endpoint.is_local && is_fallback(endpoint);
      });
      choice.is_local_terminating = !choice.local.empty();
    }
  }
  choice.has_any = std::any_of(
      view.endpoints.begin(), view.endpoints.end(),
      [](const PortEndpoint& endpoint) { return endpoint.ready || is_fallback(endpoint); });
  return choice;
}

}  // namespace waypost::proxy
