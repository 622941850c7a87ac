#include "cache/packed_objects.h"

#include <string>
#include <utility>
#include <variant>

namespace waypost::cache {
namespace {

// Calls write(element) for each element, behind their number.
template <typename Elements, typename Write>
void write_list(OctetWriter& to, const Elements& elements, Write&& write) {
  to.number(elements.size());
  for (const auto& element : elements) {
    write(element);
  }
}
template <typename Element, typename Read>
std::vector<Element> read_list(OctetReader& from, Read&& read) {
  std::vector<Element> elements(from.number());
  for (Element& element : elements) {
    read(element);
  }
  return elements;
}

// Flags and small words, a bit or two each.
constexpr std::uint8_t bit(bool set, unsigned at) noexcept {
  return static_cast<std::uint8_t>(unsigned{set} << at);
}
constexpr bool has_bit(std::uint8_t bits, unsigned at) noexcept {
  return (bits >> at & 1U) != 0;
}

void pack(OctetWriter& to, const kube::Labels& labels) {
  write_list(to, labels, [&](const auto& label) {
    to.text(label.first);
    to.text(label.second);
  });
}
void unpack(OctetReader& from, kube::Labels& labels) {
  labels = read_list<kube::Labels::value_type>(from, [&](auto& label) {
    label.first = from.text();
    label.second = from.text();
  });
}

// Families of addresses alternate freely, so that each says its own.
void pack(OctetWriter& to, const std::vector<IpAddress>& addresses) {
  write_list(to, addresses, [&](const IpAddress& address) {
    to.octet(bit(address.is_v4(), 0));
    to.address(address);
  });
}
void unpack(OctetReader& from, std::vector<IpAddress>& addresses) {
  addresses = read_list<IpAddress>(
      from, [&](IpAddress& address) { address = from.address(has_bit(from.octet(), 0)); });
}

void pack(OctetWriter& to, const kube::ServiceTraffic& traffic) {
  const auto& [node_ports, external_ips, load_balancer_ips, source_ranges, external_policy,
               internal_policy, affinity_seconds, health_check_node_port, has_other_proxy] =
      traffic;
  to.octet(static_cast<std::uint8_t>(static_cast<unsigned>(external_policy) |
                                     static_cast<unsigned>(internal_policy) << 1U |
                                     bit(has_other_proxy, 2)));
  write_list(to, node_ports, [&](std::uint16_t port) { to.number(port); });
  pack(to, external_ips);
  pack(to, load_balancer_ips);
  write_list(to, source_ranges, [&](const IpPrefix& prefix) {
    to.octet(bit(prefix.base().is_v4(), 0));
    to.address(prefix.base());
    to.number(prefix.length());
  });
  to.number(affinity_seconds);
  to.number(health_check_node_port);
}
void unpack(OctetReader& from, kube::ServiceTraffic& traffic) {
  const std::uint8_t bits = from.octet();
  traffic.external_policy = static_cast<kube::TrafficPolicy>(bits & 1U);
  traffic.internal_policy = static_cast<kube::TrafficPolicy>(bits >> 1U & 1U);
  traffic.has_other_proxy = has_bit(bits, 2);
  traffic.node_ports = read_list<std::uint16_t>(
      from, [&](std::uint16_t& port) { port = static_cast<std::uint16_t>(from.number()); });
  unpack(from, traffic.external_ips);
  unpack(from, traffic.load_balancer_ips);
  traffic.source_ranges = read_list<IpPrefix>(from, [&](IpPrefix& prefix) {
    const IpAddress base = from.address(has_bit(from.octet(), 0));
    prefix = IpPrefix::around(base, static_cast<unsigned>(from.number()));
  });
  traffic.affinity_seconds = static_cast<std::uint32_t>(from.number());
  traffic.health_check_node_port = static_cast<std::uint16_t>(from.number());
}

void pack(OctetWriter& to, const kube::SliceTraffic& traffic) {
  const auto& [placements, trigger_time_ms] = traffic;
  to.number(static_cast<std::uint64_t>(trigger_time_ms));
  to.number(placements.size());
  FrontCodedWriter nodes;
  FrontCodedWriter zone_hints;
  FrontCodedWriter node_hints;
  for (std::size_t i = 0; i < placements.size(); ++i) {
    to.octet(bit(placements.is_further(i), 0));
    nodes.text(to, placements.node(i));
    zone_hints.text(to, placements.zone_hints(i));
    node_hints.text(to, placements.node_hints(i));
  }
}
void unpack(OctetReader& from, kube::SliceTraffic& traffic) {
  traffic.trigger_time_ms = static_cast<std::int64_t>(from.number());
  FrontCodedReader nodes;
  FrontCodedReader zone_hints;
  FrontCodedReader node_hints;
  const std::size_t count = from.number();
  for (std::size_t i = 0; i < count; ++i) {
    const bool is_further = has_bit(from.octet(), 0);
    const std::string_view node = nodes.text(from);
    const std::string_view zones = zone_hints.text(from);
    traffic.placements.add(node, zones, node_hints.text(from), is_further);
  }
}

// A part that most objects lack.
template <typename Part>
void pack_part(OctetWriter& to, const kube::SharedPart<Part>& part) {
  to.octet(bit(static_cast<bool>(part), 0));
  if (part) {
    pack(to, *part);
  }
}
template <typename Part>
void unpack_part(OctetReader& from, kube::SharedPart<Part>& part) {
  if (has_bit(from.octet(), 0)) {
    Part value;
    unpack(from, value);
    part = kube::SharedPart<Part>(std::move(value));
  }
}

// The sorts of ports that are a name, a protocol and a number.
template <typename Port>
void pack_ports(OctetWriter& to, const std::vector<Port>& ports) {
  write_list(to, ports, [&](const Port& port) {
    const auto& [name, protocol, number] = port;
    to.text(name);
    to.octet(static_cast<std::uint8_t>(protocol));
    to.number(number);
  });
}
template <typename Port>
void unpack_ports(OctetReader& from, std::vector<Port>& ports) {
  ports = read_list<Port>(from, [&](Port& port) {
    port.name = from.text();
    port.protocol = static_cast<kube::Protocol>(from.octet());
    port.port = static_cast<std::uint16_t>(from.number());
  });
}

// The bits of an endpoint.
enum EndpointBit : unsigned { Ready, Serving, Terminating, IsV4, HasHostname, HasPodName };

}  // namespace

//------------------------------------------------------------------ Service

void pack(OctetWriter& to, const kube::Service& service, const Kept& kept) {
  const auto& [key, resource_version, type, headless, cluster_ips, external_name, ports, labels,
               selector, publish_not_ready_addresses, ip_families, ip_family_policy, traffic,
               times] = service;
  static const kube::Labels none;
  to.octet(static_cast<std::uint8_t>(static_cast<unsigned>(type) | bit(headless, 2) |
                                     bit(publish_not_ready_addresses, 3) |
                                     static_cast<unsigned>(ip_family_policy) << 4U));
  pack(to, cluster_ips);
  to.text(external_name);
  write_list(to, ports, [&](const kube::ServicePort& port) {
    to.text(port.name);
    // A name, or an empty one and a number.
    const auto* target = std::get_if<std::string>(&port.target_port);
    to.octet(static_cast<std::uint8_t>(static_cast<unsigned>(port.protocol) |
                                       bit(target != nullptr, 2)));
    to.number(port.port);
    target != nullptr ? to.text(*target) : to.number(std::get<std::uint16_t>(port.target_port));
  });
  pack(to, kept.labels ? labels : none);
  pack(to, kept.selectors ? selector : none);
  write_list(to, ip_families,
             [&](kube::IpFamily family) { to.octet(static_cast<std::uint8_t>(family)); });
  pack_part(to, traffic);
}

void unpack(OctetReader& from, kube::Service& service) {
  const std::uint8_t bits = from.octet();
  service.type = static_cast<kube::ServiceType>(bits & 3U);
  service.headless = has_bit(bits, 2);
  service.publish_not_ready_addresses = has_bit(bits, 3);
  service.ip_family_policy = static_cast<kube::IpFamilyPolicy>(bits >> 4U);
  unpack(from, service.cluster_ips);
  service.external_name = from.text();
  service.ports = read_list<kube::ServicePort>(from, [&](kube::ServicePort& port) {
    port.name = from.text();
    const std::uint8_t port_bits = from.octet();
    port.protocol = static_cast<kube::Protocol>(port_bits & 3U);
    port.port = static_cast<std::uint16_t>(from.number());
    if (has_bit(port_bits, 2)) {
      port.target_port = std::string(from.text());
    } else {
      port.target_port = static_cast<std::uint16_t>(from.number());
    }
  });
  unpack(from, service.labels);
  unpack(from, service.selector);
  service.ip_families = read_list<kube::IpFamily>(
      from, [&](kube::IpFamily& family) { family = static_cast<kube::IpFamily>(from.octet()); });
  unpack_part(from, service.traffic);
}

//------------------------------------------------------------------ EndpointSlice

void pack(OctetWriter& to, const kube::EndpointSlice& slice, const Kept& kept) {
  const auto& [key, resource_version, service_name, ports, endpoints, text, traffic, times] = slice;
  pack_ports(to, ports);
  FrontCodedWriter hostnames;
  FrontCodedWriter pod_names;
  write_list(to, endpoints, [&](const kube::Endpoint& endpoint) {
    const std::string_view hostname = slice.hostname(endpoint);
    const std::string_view pod_name = kept.pod_names ? slice.pod_name(endpoint) : "";
    to.octet(static_cast<std::uint8_t>(
        bit(endpoint.ready, Ready) | bit(endpoint.serving, Serving) |
        bit(endpoint.terminating, Terminating) | bit(endpoint.address.is_v4(), IsV4) |
        bit(!hostname.empty(), HasHostname) | bit(!pod_name.empty(), HasPodName)));
    to.address(endpoint.address);
    if (!hostname.empty()) {
      hostnames.text(to, hostname);
    }
    if (!pod_name.empty()) {
      pod_names.text(to, pod_name);
    }
  });
  pack_part(to, traffic);
}

void unpack(OctetReader& from, kube::EndpointSlice& slice) {
  unpack_ports(from, slice.ports);
  FrontCodedReader hostnames;
  FrontCodedReader pod_names;
  const std::size_t count = from.number();
  slice.endpoints.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t bits = from.octet();
    kube::Endpoint endpoint;
    endpoint.ready = has_bit(bits, Ready);
    endpoint.serving = has_bit(bits, Serving);
    endpoint.terminating = has_bit(bits, Terminating);
    endpoint.address = from.address(has_bit(bits, IsV4));
    const std::string_view hostname = has_bit(bits, HasHostname) ? hostnames.text(from) : "";
    const std::string_view pod_name = has_bit(bits, HasPodName) ? pod_names.text(from) : "";
    slice.add(endpoint, hostname, pod_name);
  }
  unpack_part(from, slice.traffic);
}

//------------------------------------------------------------------ Pod

namespace {

void pack(OctetWriter& to, const kube::PodSearch& search) {
  const auto& [policy, host_network, searches, ndots] = search;
  to.octet(static_cast<std::uint8_t>(static_cast<unsigned>(policy) | bit(host_network, 2)));
  to.number(searches.size());
  for (const std::string& domain : searches) {
    to.text(domain);
  }
  to.text(ndots);
}

void unpack(OctetReader& from, kube::PodSearch& search) {
  const std::uint8_t bits = from.octet();
  search.policy = static_cast<kube::DnsPolicy>(bits & 3U);
  search.host_network = has_bit(bits, 2);
  search.searches.resize(from.number());
  for (std::string& domain : search.searches) {
    domain = from.text();
  }
  search.ndots = from.text();
}

}  // namespace

void pack(OctetWriter& to, const kube::Pod& pod, const Kept& kept) {
  const auto& [key, resource_version, labels, ips, phase, ready, terminating, hostname, subdomain,
               node_name, ports, search] = pod;
  static const kube::Labels none;
  const bool has_own_search = search && *search != kube::PodSearch();
  to.octet(static_cast<std::uint8_t>(static_cast<unsigned>(phase) | bit(ready, 3) |
                                     bit(terminating, 4) | bit(search.has_value(), 5) |
                                     bit(has_own_search, 6)));
  pack(to, kept.labels ? labels : none);
  pack(to, ips);
  to.text(hostname);
  to.text(subdomain);
  to.text(node_name);
  pack_ports(to, ports);
  if (has_own_search) {
    pack(to, *search);
  }
}

void unpack(OctetReader& from, kube::Pod& pod) {
  const std::uint8_t bits = from.octet();
  pod.phase = static_cast<kube::PodPhase>(bits & 7U);
  pod.ready = has_bit(bits, 3);
  pod.terminating = has_bit(bits, 4);
  unpack(from, pod.labels);
  unpack(from, pod.ips);
  pod.hostname = from.text();
  pod.subdomain = from.text();
  pod.node_name = from.text();
  unpack_ports(from, pod.ports);
  if (has_bit(bits, 5)) {
    pod.search.emplace();
  }
  if (has_bit(bits, 6)) {
    unpack(from, *pod.search);
  }
}

}  // namespace waypost::cache
