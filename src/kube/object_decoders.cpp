#include "kube/object_decoders.h"

#include "kube/names.h"
#include "kube/traffic_decoders.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

namespace waypost::kube {
namespace {

constexpr std::string_view ServiceNameLabel = "kubernetes.io/service-name";
constexpr std::string_view NamespaceNameLabel = "kubernetes.io/metadata.name";
// Bounds the search for equal names; the API's own bound for a slice is 100 (discovery.k8s.io/v1).
constexpr std::size_t MaxPorts = 1000;
// Endpoints that room is made for at once; the API server admits no more in a slice.
constexpr std::size_t MaxPlanned = 1000;

bool any_text(std::string_view text) noexcept {
  return !text.empty();
}

// Reads one of a few words; `otherwise` when absent.
template <typename T, std::size_t N>
T word(FieldReader& reader, const Field& field, T otherwise,
       const std::array<std::pair<std::string_view, T>, N>& words, std::string_view rule) {
  const std::string_view found = reader.text(field);
  if (found.empty()) {
    return otherwise;
  }
  for (const auto& [name, value] : words) {
    if (name == found) {
      return value;
    }
  }
  reader.refuse(field, rule);
  return otherwise;
}

// ---- Service ----------------------------------------------------------------------------------

TargetPort decode_target_port(FieldReader& reader, const Field& field, std::uint16_t port) {
  if (!field.is_present()) {
    return port;
  }
  if (field.node().type() == TreeType::String) {
    const std::string_view name = reader.text(field, is_port_name, PortNameRule);
    return name.empty() ? TargetPort(port) : TargetPort(std::string(name));
  }
  if (field.node().text() == "0") {  // What an unset number looks like.
    return port;
  }
  return reader.port(field).value_or(port);
}

ServicePort decode_service_port(FieldReader& reader, const Field& element) {
  const Field field = reader.mapping(element);
  ServicePort port;
  port.name = reader.text(field.at("name"), is_dns_label, DnsLabelRule);
  port.protocol = reader.protocol(field.at("protocol"));
  const Field number = field.at("port");
  if (!number.is_present()) {
    reader.refuse(number, "a port number 1..65535");
  }
  port.port = reader.port(number).value_or(0);
  port.target_port = decode_target_port(reader, field.at("targetPort"), port.port);
  return port;
}

void decode_service_ports(FieldReader& reader, const Field& spec, Service& service) {
  const Field ports = spec.at("ports");
  reader.each(ports, [&](const Field& element) {
    if (service.ports.size() >= MaxPorts) {
      reader.complain(ports, "more than " + std::to_string(MaxPorts) + " ports");
      return;
    }
    ServicePort port = decode_service_port(reader, element);
    for (const ServicePort& other : service.ports) {
      // The API server wants distinct names; equal ones of two protocols are no ambiguity here.
      if (port.name == other.name && (port.name.empty() || port.protocol == other.protocol)) {
        reader.complain(element, port.name.empty()
                                     ? "has no name; expected one when there are several ports"
                                     : "the name '" + port.name + "' is used by another port");
      } else if (port.port == other.port && port.protocol == other.protocol) {
        reader.complain(element, "the same port and protocol as another port");
      }
    }
    service.ports.push_back(std::move(port));
  });
  if (service.ports.size() > 1 && service.ports.front().name.empty()) {
    reader.complain(ports, "[0] has no name; expected one when there are several ports");
  }
  if (service.ports.empty() && !service.headless && service.type != ServiceType::ExternalName) {
    reader.refuse(ports, "at least one port, except for headless and ExternalName Services");
  }
}

void add_cluster_ip(FieldReader& reader, const Field& field, Service& service) {
  const auto address = reader.address(field);
  if (!address) {
    return;
  }
  if (service.cluster_ips.size() == 2) {
    reader.complain(field, "a third address; expected at most one of each family");
  } else if (!service.cluster_ips.empty() &&
             service.cluster_ips.front().is_v4() == address->is_v4()) {
    reader.complain(field, "a second address of the same family; expected one of each");
  } else {
    service.cluster_ips.push_back(*address);
  }
}

void decode_cluster_ips(FieldReader& reader, const Field& spec, Service& service) {
  const Field first = spec.at("clusterIP");
  const Field list = spec.at("clusterIPs");
  const std::string_view first_text = reader.text(first);
  std::size_t count = 0;
  std::string_view first_of_list;
  reader.each(list, [&](const Field& element) {
    const std::string_view found = reader.text(element);
    if (count++ == 0) {
      first_of_list = found;
    } else if (found == "None" || first_of_list == "None") {
      reader.complain(element, "'None' goes with no other address");
    }
    if (found != "None") {
      add_cluster_ip(reader, element, service);
    }
  });
  if (count == 0) {
    service.headless = first_text == "None";
    if (!first_text.empty() && !service.headless) {
      add_cluster_ip(reader, first, service);
    }
  } else if (first_of_list != first_text) {
    reader.complain(list,
                    "the first element differs from clusterIP; expected both or none of them");
  } else {
    service.headless = first_text == "None";
  }
  if (service.headless &&
      (service.type == ServiceType::NodePort || service.type == ServiceType::LoadBalancer)) {
    reader.complain(first, "'None' goes with type ClusterIP only");
  }
  if (service.type == ServiceType::ExternalName &&
      (service.headless || count > 0 || !service.cluster_ips.empty())) {
    reader.complain(first, "an ExternalName Service has no clusterIP; expected it to be left out");
  }
}

void decode_ip_families(FieldReader& reader, const Field& spec, Service& service) {
  static constexpr std::array Families = {
      std::pair<std::string_view, IpFamily>("IPv4", IpFamily::V4),
      std::pair<std::string_view, IpFamily>("IPv6", IpFamily::V6)};
  static constexpr std::array Policies = {
      std::pair<std::string_view, IpFamilyPolicy>("SingleStack", IpFamilyPolicy::SingleStack),
      std::pair<std::string_view, IpFamilyPolicy>("PreferDualStack",
                                                  IpFamilyPolicy::PreferDualStack),
      std::pair<std::string_view, IpFamilyPolicy>("RequireDualStack",
                                                  IpFamilyPolicy::RequireDualStack)};
  const Field policy = spec.at("ipFamilyPolicy");
  service.ip_family_policy = word(reader, policy, IpFamilyPolicy::SingleStack, Policies,
                                  "one of SingleStack, PreferDualStack, RequireDualStack");
  if (!policy.is_present() && service.cluster_ips.size() > 1) {
    service.ip_family_policy = IpFamilyPolicy::RequireDualStack;  // Two addresses say it as well.
  }
  const Field families = spec.at("ipFamilies");
  reader.each(families, [&](const Field& element) {
    const IpFamily family = word(reader, element, IpFamily::V4, Families, "one of IPv4, IPv6");
    const std::size_t index = service.ip_families.size();
    if (!element.is_present()) {
      reader.refuse(element, "one of IPv4, IPv6");
    } else if (std::find(service.ip_families.begin(), service.ip_families.end(), family) !=
               service.ip_families.end()) {
      reader.complain(element, "the same family twice");
    } else if (index < service.cluster_ips.size() &&
               family_of(service.cluster_ips[index]) != family) {
      reader.refuse(element, "the family of clusterIPs[" + std::to_string(index) + "], " +
                                 service.cluster_ips[index].to_text());
    }
    service.ip_families.push_back(family);
  });
  if (service.ip_family_policy == IpFamilyPolicy::SingleStack &&
      (service.ip_families.size() > 1 || service.cluster_ips.size() > 1)) {
    reader.complain(policy, "two IP families; expected PreferDualStack or RequireDualStack");
  }
  if (service.type == ServiceType::ExternalName &&
      (policy.is_present() || !service.ip_families.empty())) {
    reader.complain(policy.is_present() ? policy : families,
                    "an ExternalName Service has no IP family; expected it to be left out");
  }
}

void decode_external_name(FieldReader& reader, const Field& spec, Service& service) {
  const Field field = spec.at("externalName");
  if (service.type != ServiceType::ExternalName) {
    return;
  }
  const std::string_view name = reader.text(field);
  if (!is_host_name(name) && !IpAddress::from_text(name)) {
    reader.refuse(field, HostNameRule);
  }
  service.external_name = name;
}

// ---- EndpointSlice ----------------------------------------------------------------------------

void decode_slice_ports(FieldReader& reader, const Field& object, EndpointSlice& slice) {
  const Field ports = object.at("ports");
  reader.each(ports, [&](const Field& element) {
    if (slice.ports.size() >= MaxPorts) {
      reader.complain(ports, "more than " + std::to_string(MaxPorts) + " ports");
      return;
    }
    const Field field = reader.mapping(element);
    EndpointPort port;
    port.name = reader.text(field.at("name"), is_dns_label, DnsLabelRule);
    port.protocol = reader.protocol(field.at("protocol"));
    const auto number = reader.port(field.at("port"));
    for (const EndpointPort& other : slice.ports) {
      if (other.name == port.name && other.protocol == port.protocol) {
        reader.complain(element, "the name '" + port.name + "' is used by another port");
      }
    }
    if (number) {  // Without a number every port is meant, and no SRV record can say that.
      port.port = *number;
      slice.ports.push_back(std::move(port));
    }
  });
}

void decode_endpoint(FieldReader& reader, const Field& element, IpFamily family,
                     EndpointSlice& slice) {
  const Field field = reader.mapping(element);
  const Field conditions_field = field.at("conditions");
  const Field conditions = reader.mapping(conditions_field);
  Endpoint endpoint;
  endpoint.ready = reader.boolean(conditions.at("ready"), true);
  endpoint.serving = reader.boolean(conditions.at("serving"), true);
  endpoint.terminating = reader.boolean(conditions.at("terminating"), false);

  const std::string_view hostname = reader.text(field.at("hostname"), is_dns_label, DnsLabelRule);
  const Field target_field = field.at("targetRef");
  const Field target = reader.mapping(target_field);
  const std::string_view target_kind = reader.text(target.at("kind"));
  const std::string_view pod_name =
      target_kind == "Pod" ? reader.text(target.at("name"), is_dns_subdomain, DnsSubdomainRule)
                           : std::string_view();

  const Field addresses = field.at("addresses");
  if (addresses.node().first_child().type() == TreeType::Absent) {
    reader.refuse(addresses, "a sequence of at least one address");
  }
  reader.each(addresses, [&](const Field& place) {
    const auto address = reader.address(place);
    if (address && family_of(*address) != family) {
      reader.refuse(place, "of the slice's addressType");
    } else if (address && !reader.problem()) {
      endpoint.address = *address;
      slice.add(endpoint, hostname, pod_name);
    }
  });
}

// ---- Pod --------------------------------------------------------------------------------------

void decode_container_ports(FieldReader& reader, const Field& container, Pod& pod) {
  const Field ports = container.at("ports");
  reader.each(ports, [&](const Field& element) {
    const Field field = reader.mapping(element);
    ContainerPort port;
    port.name = reader.text(field.at("name"), is_port_name, PortNameRule);
    port.protocol = reader.protocol(field.at("protocol"));
    const Field number = field.at("containerPort");
    if (!number.is_present()) {
      reader.refuse(number, "a port number 1..65535");
    }
    port.port = reader.port(number).value_or(0);
    pod.ports.push_back(std::move(port));
  });
}

void decode_containers(FieldReader& reader, const Field& spec, Pod& pod) {
  const Field containers = spec.at("containers");
  reader.each(containers, [&](const Field& element) {
    const Field container = reader.mapping(element);
    decode_container_ports(reader, container, pod);
  });
  // Sidecars run beside the containers; other init containers are over when those start.
  const Field init_containers = spec.at("initContainers");
  reader.each(init_containers, [&](const Field& element) {
    const Field container = reader.mapping(element);
    if (reader.text(container.at("restartPolicy")) == "Always") {
      decode_container_ports(reader, container, pod);
    }
  });
}

void decode_pod_ips(FieldReader& reader, const Field& status, Pod& pod) {
  const auto add = [&](const Field& field) {
    if (reader.text(field).empty()) {
      return;
    }
    const auto address = reader.address(field);
    if (!address || std::find(pod.ips.begin(), pod.ips.end(), *address) != pod.ips.end()) {
      return;
    }
    if (pod.ips.size() == 2 || (pod.ips.size() == 1 && pod.ips[0].is_v4() == address->is_v4())) {
      reader.complain(field, "a second address of one family; expected at most one of each");
      return;
    }
    pod.ips.push_back(*address);
  };
  const Field first = status.at("podIP");
  add(first);
  const Field list = status.at("podIPs");
  reader.each(list, [&](const Field& element) {
    const Field entry = reader.mapping(element);
    add(entry.at("ip"));
  });
}

// A policy that is not known here, and what else the API server would refuse, says nothing about
// the names that the Pod has: it is taken for a list of its own that nobody can know.
PodSearch decode_pod_search(FieldReader& reader, const Field& spec) {
  PodSearch search;
  search.host_network = reader.boolean(spec.at("hostNetwork"), false);
  const std::string_view policy = reader.text(spec.at("dnsPolicy"));
  if (!policy.empty()) {
    search.policy = policy_from_text(policy).value_or(DnsPolicy::None);
  }
  const Field config_field = spec.at("dnsConfig");
  const Field config = reader.mapping(config_field);
  const Field searches = config.at("searches");
  reader.each(searches, [&](const Field& element) {
    if (search.searches.size() < MaxPodSearches) {
      search.searches.emplace_back(reader.text(element));
    }
  });
  const Field options = config.at("options");
  reader.each(options, [&](const Field& element) {
    const Field option = reader.mapping(element);
    if (reader.text(option.at("name")) == "ndots") {
      search.ndots = reader.text(option.at("value"));
    }
  });
  return search;
}

bool is_pod_ready(FieldReader& reader, const Field& status) {
  bool ready = false;
  const Field conditions = status.at("conditions");
  reader.each(conditions, [&](const Field& element) {
    const Field condition = reader.mapping(element);
    const std::string_view type = reader.text(condition.at("type"));
    const std::string_view value = reader.text(condition.at("status"));
    if (type == "Ready") {
      ready = value == "True";
    }
  });
  return ready;
}

// ---- Node -------------------------------------------------------------------------------------

void decode_pod_cidrs(FieldReader& reader, const Field& spec, Node& node) {
  const auto add = [&](const Field& field) {
    const std::string_view text = reader.text(field);
    const auto prefix = IpPrefix::from_text(text);
    if (text.find('/') == std::string_view::npos || !prefix) {
      reader.refuse(field, "an IP prefix, such as 10.244.1.0/24");
    } else if (std::find(node.pod_cidrs.begin(), node.pod_cidrs.end(), *prefix) ==
               node.pod_cidrs.end()) {
      node.pod_cidrs.push_back(*prefix);
    }
  };
  const Field first = spec.at("podCIDR");
  if (!reader.text(first).empty()) {
    add(first);
  }
  const Field list = spec.at("podCIDRs");
  reader.each(list, add);
}

void decode_taints(FieldReader& reader, const Field& spec, Node& node) {
  const Field taints = spec.at("taints");
  reader.each(taints, [&](const Field& element) {
    const Field taint = reader.mapping(element);
    node.taint_keys.emplace_back(reader.required_text(taint.at("key"), is_label_key, LabelKeyRule));
  });
  std::sort(node.taint_keys.begin(), node.taint_keys.end());
  const auto repeated = std::unique(node.taint_keys.begin(), node.taint_keys.end());
  node.taint_keys.erase(repeated, node.taint_keys.end());
}

void decode_node_addresses(FieldReader& reader, const Field& status, Node& node) {
  const Field addresses = status.at("addresses");
  reader.each(addresses, [&](const Field& element) {
    const Field entry = reader.mapping(element);
    const std::string_view type = reader.text(entry.at("type"));
    if (type != "InternalIP" && type != "ExternalIP") {  // Hostname, InternalDNS, ExternalDNS
      return;
    }
    if (const auto address = reader.address(entry.at("address"))) {
      node.addresses.push_back(
          {type == "InternalIP" ? NodeAddressType::InternalIp : NodeAddressType::ExternalIp,
           *address});
    }
  });
}

}  // namespace

std::uint64_t decode_resource_version(FieldReader& reader, const Field& metadata) {
  std::uint64_t version = 0;
  const Field field = metadata.at("resourceVersion");
  const std::string_view digits = reader.text(field);
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), version);
  if (!digits.empty() && (ec != std::errc() || end != digits.data() + digits.size())) {
    reader.refuse(field, "a decimal number below 2^64");
    return 0;
  }
  return version;
}

ObjectVersion decode_object_version(FieldReader& reader, const Field& object, ObjectKind kind) {
  const Field metadata_field = object.at("metadata");
  const Field metadata = reader.mapping(metadata_field);
  ObjectVersion version;
  version.resource_version = decode_resource_version(reader, metadata);
  if (kind != ObjectKind::Namespace && kind != ObjectKind::Node) {
    const std::string_view name_space =
        reader.text(metadata.at("namespace"), is_dns_label, DnsLabelRule);
    version.key.name_space = name_space.empty() ? "default" : name_space;
  }
  const bool is_label = kind == ObjectKind::Service || kind == ObjectKind::Namespace;
  version.key.name =
      reader.required_text(metadata.at("name"), is_label ? is_dns_label : is_dns_subdomain,
                           is_label ? DnsLabelRule : DnsSubdomainRule);
  return version;
}

Metadata decode_metadata(FieldReader& reader, const Field& object, ObjectKind kind,
                         const DecodeOptions& options) {
  ObjectVersion version = decode_object_version(reader, object, kind);
  Metadata result;
  result.key = std::move(version.key);
  result.resource_version = version.resource_version;

  const Field metadata_field = object.at("metadata");
  const Field metadata = reader.mapping(metadata_field);
  const Field labels = metadata.at("labels");
  if (kind == ObjectKind::EndpointSlice) {
    const Field map = reader.mapping(labels);
    result.service_name = reader.text(map.at(ServiceNameLabel), is_label_value, LabelValueRule);
  } else if (options.labels) {
    result.labels = reader.labels(labels);
  }
  result.is_deleted = !reader.text(metadata.at("deletionTimestamp")).empty();
  if (kind == ObjectKind::Service || kind == ObjectKind::EndpointSlice) {
    result.times = decode_change_times(reader, metadata);
  }
  return result;
}

Service decode_service(FieldReader& reader, const Field& object, Metadata metadata,
                       const DecodeOptions& options) {
  static constexpr std::array Types = {
      std::pair<std::string_view, ServiceType>("ClusterIP", ServiceType::ClusterIp),
      std::pair<std::string_view, ServiceType>("NodePort", ServiceType::NodePort),
      std::pair<std::string_view, ServiceType>("LoadBalancer", ServiceType::LoadBalancer),
      std::pair<std::string_view, ServiceType>("ExternalName", ServiceType::ExternalName)};
  Service service;
  service.key = std::move(metadata.key);
  service.resource_version = metadata.resource_version;
  service.labels = std::move(metadata.labels);
  service.times = metadata.times;

  const Field spec_field = object.at("spec");
  const Field spec = reader.mapping(spec_field);
  service.type = word(reader, spec.at("type"), ServiceType::ClusterIp, Types,
                      "one of ClusterIP, NodePort, LoadBalancer, ExternalName");
  decode_cluster_ips(reader, spec, service);
  decode_ip_families(reader, spec, service);
  decode_external_name(reader, spec, service);
  decode_service_ports(reader, spec, service);
  if (options.selectors) {
    service.selector = reader.labels(spec.at("selector"));
  }
  service.publish_not_ready_addresses = reader.boolean(spec.at("publishNotReadyAddresses"), false);
  if (options.traffic) {
    service.traffic = SharedPart(decode_service_traffic(reader, object, service));
  }
  return service;
}

std::optional<EndpointSlice> decode_slice(FieldReader& reader, const Field& object,
                                          Metadata metadata, const DecodeOptions& options) {
  EndpointSlice slice;
  slice.key = std::move(metadata.key);
  slice.resource_version = metadata.resource_version;
  slice.service_name = std::move(metadata.service_name);
  slice.times = metadata.times;

  const Field type = object.at("addressType");
  const std::string_view type_text =
      reader.required_text(type, any_text, "one of IPv4, IPv6, FQDN");
  if (type_text == "FQDN") {
    return std::nullopt;
  }
  if (type_text != "IPv4" && type_text != "IPv6") {
    reader.refuse(type, "one of IPv4, IPv6, FQDN");
  }
  decode_slice_ports(reader, object, slice);
  const Field endpoints = object.at("endpoints");
  slice.endpoints.reserve(std::min(endpoints.node().count_elements(), MaxPlanned));
  SliceTraffic traffic;
  reader.each(endpoints, [&](const Field& element) {
    const std::size_t before = slice.endpoints.size();
    decode_endpoint(reader, element, type_text == "IPv4" ? IpFamily::V4 : IpFamily::V6, slice);
    if (options.traffic) {
      const Field endpoint = reader.mapping(element);
      decode_placements(reader, endpoint, slice.endpoints.size() - before, traffic.placements);
    }
  });
  if (options.traffic) {
    traffic.trigger_time_ms = metadata.times.triggered;
    slice.traffic = SharedPart(std::move(traffic));
  }
  return slice;
}

Namespace decode_namespace(Metadata metadata) {
  Namespace name_space;
  name_space.name = std::move(metadata.key.name);
  name_space.resource_version = metadata.resource_version;
  name_space.labels = std::move(metadata.labels);
  // The API server sets this label on every Namespace, whatever the manifest says.
  std::erase_if(name_space.labels,
                [](const auto& label) { return label.first == NamespaceNameLabel; });
  name_space.labels.emplace_back(NamespaceNameLabel, name_space.name);
  std::sort(name_space.labels.begin(), name_space.labels.end());
  return name_space;
}

Node decode_node(FieldReader& reader, const Field& object, Metadata metadata) {
  Node node;
  node.name = std::move(metadata.key.name);
  node.resource_version = metadata.resource_version;
  node.labels = std::move(metadata.labels);
  node.is_deleting = metadata.is_deleted;

  const Field spec_field = object.at("spec");
  const Field spec = reader.mapping(spec_field);
  decode_pod_cidrs(reader, spec, node);
  decode_taints(reader, spec, node);
  const Field status_field = object.at("status");
  const Field status = reader.mapping(status_field);
  decode_node_addresses(reader, status, node);
  return node;
}

Pod decode_pod(FieldReader& reader, const Field& object, Metadata metadata,
               const DecodeOptions& options) {
  static constexpr std::array Phases = {
      std::pair<std::string_view, PodPhase>("Pending", PodPhase::Pending),
      std::pair<std::string_view, PodPhase>("Running", PodPhase::Running),
      std::pair<std::string_view, PodPhase>("Succeeded", PodPhase::Succeeded),
      std::pair<std::string_view, PodPhase>("Failed", PodPhase::Failed),
      std::pair<std::string_view, PodPhase>("Unknown", PodPhase::Unknown)};
  Pod pod;
  pod.key = std::move(metadata.key);
  pod.resource_version = metadata.resource_version;
  pod.labels = std::move(metadata.labels);
  pod.terminating = metadata.is_deleted;

  const Field spec_field = object.at("spec");
  const Field spec = reader.mapping(spec_field);
  pod.hostname = reader.text(spec.at("hostname"), is_dns_label, DnsLabelRule);
  pod.subdomain = reader.text(spec.at("subdomain"), is_dns_label, DnsLabelRule);
  decode_containers(reader, spec, pod);
  if (options.traffic) {
    pod.node_name = reader.text(spec.at("nodeName"), is_dns_subdomain, DnsSubdomainRule);
  }
  if (options.pod_search) {
    pod.search = decode_pod_search(reader, spec);
  }

  const Field status_field = object.at("status");
  const Field status = reader.mapping(status_field);
  pod.phase = word(reader, status.at("phase"), PodPhase::Pending, Phases,
                   "one of Pending, Running, Succeeded, Failed, Unknown");
  pod.ready = is_pod_ready(reader, status);
  decode_pod_ips(reader, status, pod);
  return pod;
}

}  // namespace waypost::kube
