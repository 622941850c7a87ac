#include "proxy/service_port.h"

#include <algorithm>
#include <tuple>

namespace waypost::proxy {
namespace {

template <typename T>
std::vector<T> of_family(const std::vector<T>& all, kube::IpFamily family,
                         IpAddress (*address_of)(const T&)) {
  std::vector<T> out;
  for (const T& one : all) {
    if (kube::family_of(address_of(one)) == family &&
        std::find(out.begin(), out.end(), one) == out.end()) {
      out.push_back(one);
    }
  }
  return out;
}

IpAddress itself(const IpAddress& address) {
  return address;
}

IpAddress base_of(const IpPrefix& prefix) {
  return prefix.base();
}

const IpAddress* cluster_ip_of(const kube::Service& service, kube::IpFamily family) noexcept {
  const auto at =
      std::find_if(service.cluster_ips.begin(), service.cluster_ips.end(),
                   [&](const IpAddress& address) { return kube::family_of(address) == family; });
  return at == service.cluster_ips.end() ? nullptr : &*at;
}

void add_slice(const kube::EndpointSlice& slice, const kube::ServicePort& port,
               kube::IpFamily family, std::string_view node_name,
               std::vector<PortEndpoint>& endpoints) {
  for (const kube::EndpointPort& slice_port : slice.ports) {
    if (slice_port.name != port.name || slice_port.protocol != port.protocol ||
        slice_port.port == 0) {
      continue;
    }
    for (std::size_t i = 0; i < slice.endpoints.size(); ++i) {
      const kube::Endpoint& endpoint = slice.endpoints[i];
      if (kube::family_of(endpoint.address) != family) {
        continue;
      }
      PortEndpoint view{.address = endpoint.address,
                        .port = slice_port.port,
                        .ready = endpoint.ready,
                        .serving = endpoint.serving,
                        .terminating = endpoint.terminating};
      if (slice.traffic) {
        const kube::Placements& places = slice.traffic->placements;
        if (places.is_further(i)) {  // Of several addresses only the first is used.
          continue;
        }
        view.has_node = !places.node(i).empty();
        view.is_local = view.has_node && places.node(i) == node_name;
        view.zone_hints = places.zone_hints(i);
        view.node_hints = places.node_hints(i);
      }
      endpoints.push_back(view);
    }
  }
}

// An endpoint may be in two slices while it moves from one to the other; the one that is not
// terminating is the newer.
void remove_doubles(std::vector<PortEndpoint>& endpoints) {
  std::sort(endpoints.begin(), endpoints.end(), [](const PortEndpoint& a, const PortEndpoint& b) {
    return std::tie(a.address, a.port, a.terminating, b.ready) <
           std::tie(b.address, b.port, b.terminating, a.ready);
  });
  endpoints.erase(std::unique(endpoints.begin(), endpoints.end(),
                              [](const PortEndpoint& a, const PortEndpoint& b) {
                                return a.address == b.address && a.port == b.port;
                              }),
                  endpoints.end());
  endpoints.shrink_to_fit();
}

void add_traffic(const kube::ServiceTraffic& traffic, const kube::Service& service,
                 std::size_t index, kube::IpFamily family, ServicePortView& view) {
  const bool has_node_ports = service.type == kube::ServiceType::NodePort ||
                              service.type == kube::ServiceType::LoadBalancer;
  view.node_port = index < traffic.node_ports.size() && has_node_ports ? traffic.node_ports[index]
                                                                       : std::uint16_t{0};
  view.external_ips = of_family(traffic.external_ips, family, itself);
  if (service.type == kube::ServiceType::LoadBalancer) {
    view.load_balancer_ips = of_family(traffic.load_balancer_ips, family, itself);
    view.source_ranges = of_family(traffic.source_ranges, family, base_of);
    view.health_check_node_port = traffic.external_policy == kube::TrafficPolicy::Local
                                      ? traffic.health_check_node_port
                                      : std::uint16_t{0};
  }
  if (std::any_of(view.source_ranges.begin(), view.source_ranges.end(),
                  [](const IpPrefix& range) { return range.length() == 0; })) {
    view.source_ranges.clear();
  }
  const bool takes_external = has_node_ports || !traffic.external_ips.empty();
  view.is_external_local = takes_external && traffic.external_policy == kube::TrafficPolicy::Local;
  view.is_internal_local = traffic.internal_policy == kube::TrafficPolicy::Local;
  view.affinity_seconds = traffic.affinity_seconds;
}

}  // namespace

std::vector<ServicePortView> view_ports(const cache::ServiceState& state, kube::IpFamily family,
                                        std::string_view node_name) {
  if (state.service == nullptr || state.service->headless ||
      state.service->type == kube::ServiceType::ExternalName) {
    return {};
  }
  const kube::Service& service = *state.service;
  const IpAddress* cluster_ip = cluster_ip_of(service, family);
  if (cluster_ip == nullptr || (service.traffic && service.traffic->has_other_proxy)) {
    return {};
  }
  std::vector<ServicePortView> views;
  for (std::size_t i = 0; i < service.ports.size(); ++i) {
    const kube::ServicePort& port = service.ports[i];
    ServicePortView& view = views.emplace_back();
    view.name = service.key.to_text() + (port.name.empty() ? "" : ":" + port.name);
    view.protocol = port.protocol;
    view.port_id = view.name + std::string(kube::to_text(port.protocol));
    view.port = port.port;
    view.cluster_ip = *cluster_ip;
    if (service.traffic) {
      add_traffic(*service.traffic, service, i, family, view);
    }
    for (const cache::SlicePointer& slice : state.slices) {
      add_slice(*slice, port, family, node_name, view.endpoints);
    }
    remove_doubles(view.endpoints);
  }
  return views;
}

}  // namespace waypost::proxy
