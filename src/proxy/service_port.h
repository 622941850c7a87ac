// One port of one Service in one address family, as the proxy sees it: where it is reached, by
// which policies, and its endpoints from all slices.
//
// Made from a cache::ServiceState by a pure function, so that whoever needs the state before and
// after a change (rules, connection tracking, health servers) can look at both.
//
// Not here: which of the endpoints are used (proxy/endpoint_choice.h).

#pragma once

#include "base/ip_address.h"
#include "cache/service_cache.h"
#include "kube/objects.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::proxy {

struct PortEndpoint {
  IpAddress address;
  std::uint16_t port = 0;
  bool ready = true;
  bool serving = true;
  bool terminating = false;
  bool is_local = false;        // On the node that was asked about.
  bool has_node = false;        // It says on which node it is.
  std::string_view zone_hints;  // Names separated by commas; borrowed from the slice.
  std::string_view node_hints;

  // "10.0.0.1:80", "[fd00::1]:80".
  std::string to_text() const { return SocketAddress{address, port}.to_text(); }
};

struct ServicePortView {
  std::string name;     // "ns/name:port", or "ns/name" when the port has no name.
  std::string port_id;  // The name and the protocol, as chain names are made from.
  kube::Protocol protocol = kube::Protocol::Tcp;
  std::uint16_t port = 0;
  std::uint16_t node_port = 0;  // 0: none.
  IpAddress cluster_ip;
  std::vector<IpAddress> external_ips;
  std::vector<IpAddress> load_balancer_ips;
  std::vector<IpPrefix> source_ranges;  // Empty: everybody.
  bool is_external_local = false;       // externalTrafficPolicy: Local, where it means something.
  bool is_internal_local = false;
  std::uint32_t affinity_seconds = 0;        // 0: none.
  std::uint16_t health_check_node_port = 0;  // The Service's; the same at each of its ports.
  std::vector<PortEndpoint> endpoints;       // By address and port, each once.

  bool is_external() const noexcept {
    return node_port != 0 || !external_ips.empty() || !load_balancer_ips.empty();
  }
  // Whether endpoints all over the cluster are ever used, or those of this node.  With the policy
  // Local, clients within the cluster still use all.
  bool uses_cluster() const noexcept { return !is_internal_local || is_external(); }
  bool uses_local() const noexcept {
    return is_internal_local || (is_external_local && is_external());
  }
};

// The Service's ports, in its order.  None when there is nothing to do: not known, headless,
// ExternalName, without ClusterIP of the family, or another proxy's (label
// service.kubernetes.io/service-proxy-name).  Views borrow from `state`.
std::vector<ServicePortView> view_ports(const cache::ServiceState& state, kube::IpFamily family,
                                        std::string_view node_name);

}  // namespace waypost::proxy
