#include "cache/snapshot_objects.h"

#include "kube/names.h"

#include <string>
#include <string_view>
#include <variant>

namespace waypost::cache {
namespace {

using kube::Labels;

// The bits of an object's octet of flags; a bit that is not known has no meaning.
constexpr std::uint8_t Headless = 1;
constexpr std::uint8_t PublishNotReady = 2;
constexpr std::uint8_t Ready = 1;
constexpr std::uint8_t Serving = 2;
constexpr std::uint8_t Terminating = 4;
constexpr std::uint8_t Deleting = 1;
constexpr std::uint8_t HostNetwork = 1;
constexpr std::uint8_t OtherProxy = 1;
constexpr std::uint8_t FurtherAddress = 1;

constexpr std::uint8_t flag(bool set, std::uint8_t bit) noexcept {
  return set ? bit : std::uint8_t{0};
}
constexpr bool has(std::uint8_t flags, std::uint8_t bit) noexcept {
  return (flags & bit) != 0;
}

template <typename Word>
void write_word(GroupWriter& to, Word word) {
  to.octet(static_cast<std::uint8_t>(word));
}
// Reads one of the words up to `last`.
template <typename Word>
Word read_word(GroupReader& from, Word last) {
  const std::uint8_t word = from.octet();
  from.require(word <= static_cast<std::uint8_t>(last), "a word is not known");
  return from.has_problem() ? Word{} : static_cast<Word>(word);
}

using NameCheck = bool (*)(std::string_view) noexcept;

std::string_view read_name(GroupReader& from, NameCheck check, const char* problem) {
  const std::string_view name = from.text();
  from.require(check(name), problem);
  return name;
}
std::string_view read_optional_name(GroupReader& from, NameCheck check, const char* problem) {
  const std::string_view name = from.text();
  from.require(name.empty() || check(name), problem);
  return name;
}

void write_key(GroupWriter& to, const kube::ObjectKey& key) {
  to.text(key.name_space);
  to.text(key.name);
}
kube::ObjectKey read_key(GroupReader& from, NameCheck check) {
  kube::ObjectKey key;
  key.name_space = read_name(from, kube::is_dns_label, "the namespace is not a DNS label");
  key.name = read_name(from, check, "the name is not one that the API admits");
  return key;
}

void write_labels(GroupWriter& to, const Labels& labels) {
  to.list(labels, [&](const auto& label) {
    to.text(label.first);
    to.text(label.second);
  });
}
Labels read_labels(GroupReader& from) {
  Labels labels;
  from.list(labels, [&] {
    const std::string_view key = read_name(from, kube::is_label_key, "a label has no valid key");
    from.require(labels.empty() || labels.back().first < key, "labels are not in order");
    const std::string_view value = from.text();
    from.require(kube::is_label_value(value), "a label has no valid value");
    labels.emplace_back(key, value);
  });
  return labels;
}

void write_addresses(GroupWriter& to, const std::vector<IpAddress>& addresses) {
  to.list(addresses, [&](const IpAddress& address) { to.address(address); });
}
std::vector<IpAddress> read_addresses(GroupReader& from) {
  std::vector<IpAddress> addresses;
  from.list(addresses, [&] { addresses.push_back(from.address()); });
  return addresses;
}

void write_prefixes(GroupWriter& to, const std::vector<IpPrefix>& prefixes) {
  to.list(prefixes, [&](const IpPrefix& prefix) {
    to.address(prefix.base());
    to.number(prefix.length());
  });
}
std::vector<IpPrefix> read_prefixes(GroupReader& from) {
  std::vector<IpPrefix> prefixes;
  from.list(prefixes, [&] {
    const IpAddress base = from.address();
    const std::uint64_t length = from.number();
    from.require(length <= base.octets().size() * 8, "a prefix is longer than its address");
    prefixes.push_back(IpPrefix::around(base, static_cast<unsigned>(length)));
  });
  return prefixes;
}

// The two sorts of ports that are a name, a protocol and a number.
template <typename Port>
void write_ports(GroupWriter& to, const std::vector<Port>& ports) {
  to.list(ports, [&](const Port& port) {
    to.group([&] {
      const auto& [name, protocol, number] = port;
      to.text(name);
      write_word(to, protocol);
      to.number(number);
    });
  });
}
template <typename Port>
std::vector<Port> read_ports(GroupReader& from, NameCheck check) {
  std::vector<Port> ports;
  from.list(ports, [&] {
    from.group([&](GroupReader& group) {
      Port port;
      port.name = read_optional_name(group, check, "a port has no valid name");
      port.protocol = read_word(group, kube::Protocol::Sctp);
      port.port = group.port();
      ports.push_back(std::move(port));
    });
  });
  return ports;
}

void write_service_ports(GroupWriter& to, const std::vector<kube::ServicePort>& ports) {
  to.list(ports, [&](const kube::ServicePort& port) {
    to.group([&] {
      const auto& [name, protocol, number, target_port] = port;
      to.text(name);
      write_word(to, protocol);
      to.number(number);
      // A name, or an empty one and a number.
      const auto* target_name = std::get_if<std::string>(&target_port);
      const auto* target_number = std::get_if<std::uint16_t>(&target_port);
      to.text(target_name == nullptr ? std::string_view() : *target_name);
      to.number(target_number == nullptr ? 0 : *target_number);
    });
  });
}
std::vector<kube::ServicePort> read_service_ports(GroupReader& from) {
  std::vector<kube::ServicePort> ports;
  from.list(ports, [&] {
    from.group([&](GroupReader& group) {
      kube::ServicePort port;
      port.name = read_optional_name(group, kube::is_dns_label, "a port has no valid name");
      port.protocol = read_word(group, kube::Protocol::Sctp);
      port.port = group.port();
      const std::string_view target =
          read_optional_name(group, kube::is_port_name, "a target port has no valid name");
      const std::uint16_t number = group.port();
      port.target_port =
          target.empty() ? kube::TargetPort(number) : kube::TargetPort(std::string(target));
      ports.push_back(std::move(port));
    });
  });
  return ports;
}

// A part that objects may lack: the empty group when they do.
template <typename Part, typename WritePart>
void write_part(GroupWriter& to, const kube::SharedPart<Part>& part, WritePart write_fields) {
  to.group([&] {
    if (part) {
      write_fields(*part);
    }
  });
}
template <typename Part, typename ReadPart>
kube::SharedPart<Part> read_part(GroupReader& from, ReadPart read_fields) {
  kube::SharedPart<Part> part;
  from.group([&](GroupReader& group) {
    if (group.left() > 0) {
      Part fields;
      read_fields(group, fields);
      part = kube::SharedPart(std::move(fields));
    }
  });
  return part;
}

void write_traffic(GroupWriter& to, const kube::ServiceTraffic& traffic) {
  const auto& [node_ports, external_ips, load_balancer_ips, source_ranges, external_policy,
               internal_policy, affinity_seconds, health_check_node_port, has_other_proxy] =
      traffic;
  to.list(node_ports, [&](std::uint16_t port) { to.number(port); });
  write_addresses(to, external_ips);
  write_addresses(to, load_balancer_ips);
  write_prefixes(to, source_ranges);
  write_word(to, external_policy);
  write_word(to, internal_policy);
  to.number(affinity_seconds);
  to.number(health_check_node_port);
  to.octet(flag(has_other_proxy, OtherProxy));
}
void read_traffic(GroupReader& from, kube::ServiceTraffic& traffic) {
  from.list(traffic.node_ports, [&] { traffic.node_ports.push_back(from.port()); });
  traffic.external_ips = read_addresses(from);
  traffic.load_balancer_ips = read_addresses(from);
  traffic.source_ranges = read_prefixes(from);
  traffic.external_policy = read_word(from, kube::TrafficPolicy::Local);
  traffic.internal_policy = read_word(from, kube::TrafficPolicy::Local);
  const std::uint64_t affinity = from.number();
  from.require(affinity <= 0xffffffff, "the time of affinity is longer than 32 bits can say");
  traffic.affinity_seconds = static_cast<std::uint32_t>(affinity);
  traffic.health_check_node_port = from.port();
  traffic.has_other_proxy = has(from.octet(), OtherProxy);
}

void write_traffic(GroupWriter& to, const kube::SliceTraffic& traffic) {
  const auto& [all_placements, trigger_time_ms] = traffic;
  const kube::Placements& placements = all_placements;
  to.number(static_cast<std::uint64_t>(trigger_time_ms));
  to.number(placements.size());
  for (std::size_t i = 0; i < placements.size(); ++i) {
    to.group([&] {
      to.text(placements.node(i));
      to.text(placements.zone_hints(i));
      to.text(placements.node_hints(i));
      to.octet(flag(placements.is_further(i), FurtherAddress));
    });
  }
}
void read_traffic(GroupReader& from, kube::SliceTraffic& traffic) {
  traffic.trigger_time_ms = static_cast<std::int64_t>(from.number());
  from.list([&] {
    from.group([&](GroupReader& group) {
      const std::string_view node =
          read_optional_name(group, kube::is_dns_subdomain, "an endpoint has no valid node name");
      const std::string_view zones = group.text();
      const std::string_view nodes = group.text();
      const bool is_further = has(group.octet(), FurtherAddress);
      if (!group.has_problem()) {
        traffic.placements.add(node, zones, nodes, is_further);
      }
    });
  });
}

}  // namespace

//------------------------------------------------------------------ Service

void write(GroupWriter& to, const kube::Service& service) {
  const auto& [key, resource_version, type, headless, cluster_ips, external_name, ports, labels,
               selector, publish_not_ready_addresses, ip_families, ip_family_policy, traffic,
               times] = service;
  write_key(to, key);
  to.number(resource_version);
  write_word(to, type);
  to.octet(flag(headless, Headless) | flag(publish_not_ready_addresses, PublishNotReady));
  write_addresses(to, cluster_ips);
  to.text(external_name);
  write_service_ports(to, ports);
  write_labels(to, labels);
  write_labels(to, selector);
  to.list(ip_families, [&](kube::IpFamily family) { write_word(to, family); });
  write_word(to, ip_family_policy);
  write_part(to, traffic, [&](const kube::ServiceTraffic& part) { write_traffic(to, part); });
}

void read(GroupReader& from, kube::Service& service) {
  service.key = read_key(from, kube::is_dns_label);
  service.resource_version = from.number();
  service.type = read_word(from, kube::ServiceType::ExternalName);
  const std::uint8_t flags = from.octet();
  service.headless = has(flags, Headless);
  service.publish_not_ready_addresses = has(flags, PublishNotReady);
  service.cluster_ips = read_addresses(from);
  service.external_name = from.text();
  const bool is_target = service.type != kube::ServiceType::ExternalName ||
                         kube::is_host_name(service.external_name) ||
                         IpAddress::from_text(service.external_name).has_value();
  from.require(is_target, "the external name is neither a DNS name nor an address");
  service.ports = read_service_ports(from);
  service.labels = read_labels(from);
  service.selector = read_labels(from);
  from.list(service.ip_families,
            [&] { service.ip_families.push_back(read_word(from, kube::IpFamily::V6)); });
  service.ip_family_policy = read_word(from, kube::IpFamilyPolicy::RequireDualStack);
  service.traffic =
      read_part<kube::ServiceTraffic>(from, [&](GroupReader& group, kube::ServiceTraffic& part) {
        read_traffic(group, part);
        group.require(part.node_ports.size() == service.ports.size(),
                      "there is not one node port for each port");
      });
}

//------------------------------------------------------------------ EndpointSlice

void write(GroupWriter& to, const kube::EndpointSlice& slice) {
  const auto& [key, resource_version, service_name, ports, endpoints, text, traffic, times] = slice;
  write_key(to, key);
  to.number(resource_version);
  to.text(service_name);
  write_ports(to, ports);
  to.list(endpoints, [&](const kube::Endpoint& endpoint) {
    to.group([&] {
      const auto& [address, hostname_at, pod_name_at, hostname_size, pod_name_size, ready, serving,
                   terminating] = endpoint;
      to.address(address);
      to.octet(flag(ready, Ready) | flag(serving, Serving) | flag(terminating, Terminating));
      to.text(slice.hostname(endpoint));
      to.text(slice.pod_name(endpoint));
    });
  });
  write_part(to, traffic, [&](const kube::SliceTraffic& part) { write_traffic(to, part); });
}

void read(GroupReader& from, kube::EndpointSlice& slice) {
  slice.key = read_key(from, kube::is_dns_subdomain);
  slice.resource_version = from.number();
  slice.service_name =
      read_optional_name(from, kube::is_label_value, "the Service's name is not a label's value");
  slice.ports = read_ports<kube::EndpointPort>(from, kube::is_dns_label);
  from.list(slice.endpoints, [&] {
    from.group([&](GroupReader& group) {
      kube::Endpoint endpoint;
      endpoint.address = group.address();
      const std::uint8_t flags = group.octet();
      endpoint.ready = has(flags, Ready);
      endpoint.serving = has(flags, Serving);
      endpoint.terminating = has(flags, Terminating);
      const std::string_view hostname =
          read_optional_name(group, kube::is_dns_label, "an endpoint has no valid hostname");
      const std::string_view pod_name =
          read_optional_name(group, kube::is_dns_subdomain, "an endpoint has no valid Pod name");
      if (!group.has_problem()) {
        slice.add(endpoint, hostname, pod_name);
      }
    });
  });
  slice.traffic = read_part<kube::SliceTraffic>(
      from, [](GroupReader& group, kube::SliceTraffic& part) { read_traffic(group, part); });
}

//------------------------------------------------------------------ Namespace

void write(GroupWriter& to, const kube::Namespace& name_space) {
  const auto& [name, resource_version, labels] = name_space;
  to.text(name);
  to.number(resource_version);
  write_labels(to, labels);
}

void read(GroupReader& from, kube::Namespace& name_space) {
  name_space.name = read_name(from, kube::is_dns_label, "the name is not a DNS label");
  name_space.resource_version = from.number();
  name_space.labels = read_labels(from);
}

//------------------------------------------------------------------ Pod

namespace {

void write_search(GroupWriter& to, const kube::PodSearch& search) {
  const auto& [policy, host_network, searches, ndots] = search;
  write_word(to, policy);
  to.octet(flag(host_network, HostNetwork));
  to.list(searches, [&](const std::string& domain) { to.text(domain); });
  to.text(ndots);
}

void read_search(GroupReader& from, kube::PodSearch& search) {
  search.policy = read_word(from, kube::DnsPolicy::None);
  search.host_network = has(from.octet(), HostNetwork);
  from.list(search.searches, [&] { search.searches.emplace_back(from.text()); });
  search.ndots = from.text();
}

}  // namespace

void write(GroupWriter& to, const kube::Pod& pod) {
  const auto& [key, resource_version, labels, ips, phase, ready, terminating, hostname, subdomain,
               node_name, ports, search] = pod;
  write_key(to, key);
  to.number(resource_version);
  write_labels(to, labels);
  write_addresses(to, ips);
  write_word(to, phase);
  to.octet(flag(ready, Ready) | flag(terminating, Terminating));
  to.text(hostname);
  to.text(subdomain);
  to.text(node_name);
  write_ports(to, ports);
  to.group([&] {
    if (search) {
      write_search(to, *search);
    }
  });
}

void read(GroupReader& from, kube::Pod& pod) {
  pod.key = read_key(from, kube::is_dns_subdomain);
  pod.resource_version = from.number();
  pod.labels = read_labels(from);
  pod.ips = read_addresses(from);
  pod.phase = read_word(from, kube::PodPhase::Unknown);
  const std::uint8_t flags = from.octet();
  pod.ready = has(flags, Ready);
  pod.terminating = has(flags, Terminating);
  pod.hostname = read_optional_name(from, kube::is_dns_label, "the hostname is not a DNS label");
  pod.subdomain = read_optional_name(from, kube::is_dns_label, "the subdomain is not a DNS label");
  pod.node_name =
      read_optional_name(from, kube::is_dns_subdomain, "the node's name is not a DNS subdomain");
  pod.ports = read_ports<kube::ContainerPort>(from, kube::is_port_name);
  from.group([&](GroupReader& group) {
    if (group.left() > 0) {
      read_search(group, pod.search.emplace());
    }
  });
}

//------------------------------------------------------------------ Node

void write(GroupWriter& to, const kube::Node& node) {
  const auto& [name, resource_version, labels, addresses, pod_cidrs, taint_keys, is_deleting] =
      node;
  to.text(name);
  to.number(resource_version);
  write_labels(to, labels);
  to.list(addresses, [&](const kube::NodeAddress& each) {
    to.group([&] {
      const auto& [type, address] = each;
      write_word(to, type);
      to.address(address);
    });
  });
  write_prefixes(to, pod_cidrs);
  to.list(taint_keys, [&](const std::string& taint) { to.text(taint); });
  to.octet(flag(is_deleting, Deleting));
}

void read(GroupReader& from, kube::Node& node) {
  node.name = read_name(from, kube::is_dns_subdomain, "the name is not a DNS subdomain");
  node.resource_version = from.number();
  node.labels = read_labels(from);
  from.list(node.addresses, [&] {
    from.group([&](GroupReader& group) {
      const auto type = read_word(group, kube::NodeAddressType::ExternalIp);
      node.addresses.push_back({type, group.address()});
    });
  });
  node.pod_cidrs = read_prefixes(from);
  from.list(node.taint_keys, [&] {
    node.taint_keys.emplace_back(read_name(from, kube::is_label_key, "a taint has no valid key"));
  });
  node.is_deleting = has(from.octet(), Deleting);
}

}  // namespace waypost::cache
