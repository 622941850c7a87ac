#include "support/object_text.h"

namespace waypost::test {

using namespace kube;

namespace {

template <typename T>
std::string version_text(const T& object) {
  return object.resource_version == 0 ? "" : " @" + std::to_string(object.resource_version);
}

}  // namespace

std::string show(const Labels& labels) {
  std::string text;
  for (const auto& [key, value] : labels) {
    text.append(text.empty() ? "" : ",").append(key).append("=").append(value);
  }
  return text;
}

std::string show(const Service& service) {
  static constexpr const char* Types[] = {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"};
  static constexpr const char* Policies[] = {"", " prefer-dual", " require-dual"};
  std::string text = service.key.to_text() + " " + Types[static_cast<int>(service.type)];
  text += service.headless ? " headless" : "";
  for (const IpAddress& address : service.cluster_ips) {
    text += " " + address.to_text();
  }
  for (const IpFamily family : service.ip_families) {
    text += family == IpFamily::V4 ? " IPv4" : " IPv6";
  }
  text += Policies[static_cast<int>(service.ip_family_policy)];
  text += service.external_name.empty() ? "" : " -> " + service.external_name;
  for (const ServicePort& port : service.ports) {
    const auto* number = std::get_if<std::uint16_t>(&port.target_port);
    text += " " + port.name + ":" + std::to_string(port.port) + "/" +
            std::string(to_text(port.protocol)) + ">" +
            (number != nullptr ? std::to_string(*number) : std::get<std::string>(port.target_port));
  }
  text += service.selector.empty() ? "" : " selects " + show(service.selector);
  text += service.publish_not_ready_addresses ? " not-ready-too" : "";
  text += service.labels.empty() ? "" : " labels " + show(service.labels);
  return text + version_text(service);
}

std::string show(const EndpointSlice& slice) {
  std::string text = slice.key.to_text() + " of " + slice.service_name;
  for (const EndpointPort& port : slice.ports) {
    text += " " + port.name + ":" + std::to_string(port.port) + "/" +
            std::string(to_text(port.protocol));
  }
  for (const Endpoint& endpoint : slice.endpoints) {
    text += " " + endpoint.address.to_text() + "(" + (endpoint.ready ? "r" : "-") +
            (endpoint.serving ? "s" : "-") + (endpoint.terminating ? "t" : "-") + ")";
    text += slice.hostname(endpoint).empty() ? "" : "=" + std::string(slice.hostname(endpoint));
    text += slice.pod_name(endpoint).empty() ? "" : "~" + std::string(slice.pod_name(endpoint));
  }
  return text + version_text(slice);
}

std::string show(const Namespace& name_space) {
  return name_space.name + " " + show(name_space.labels) + version_text(name_space);
}

std::string show(const Pod& pod) {
  static constexpr const char* Phases[] = {"Pending", "Running", "Succeeded", "Failed", "Unknown"};
  std::string text = pod.key.to_text() + " " + Phases[static_cast<int>(pod.phase)];
  text += pod.ready ? " ready" : "";
  text += pod.terminating ? " terminating" : "";
  for (const IpAddress& address : pod.ips) {
    text += " " + address.to_text();
  }
  text += pod.hostname.empty() ? "" : " host " + pod.hostname;
  text += pod.subdomain.empty() ? "" : " sub " + pod.subdomain;
  for (const ContainerPort& port : pod.ports) {
    text += " " + port.name + ":" + std::to_string(port.port) + "/" +
            std::string(to_text(port.protocol));
  }
  text += pod.labels.empty() ? "" : " labels " + show(pod.labels);
  if (pod.search) {
    static constexpr const char* Policies[] = {"ClusterFirst", "ClusterFirstWithHostNet", "Default",
                                               "None"};
    text += std::string(" dns ") + Policies[static_cast<int>(pod.search->policy)];
    text += pod.search->host_network ? " host network" : "";
    for (const std::string& domain : pod.search->searches) {
      text += " search " + domain;
    }
    text += pod.search->ndots.empty() ? "" : " ndots:" + pod.search->ndots;
  }
  return text + version_text(pod);
}

std::string show(const Node& node) {
  std::string text = node.name + (node.is_deleting ? " deleting" : "");
  for (const NodeAddress& address : node.addresses) {
    text += address.type == NodeAddressType::InternalIp ? " internal " : " external ";
    text += address.address.to_text();
  }
  for (const IpPrefix& prefix : node.pod_cidrs) {
    text += " pods " + prefix.to_text();
  }
  for (const std::string& key : node.taint_keys) {
    text += " taint " + key;
  }
  text += node.labels.empty() ? "" : " labels " + show(node.labels);
  return text + version_text(node);
}

std::string show(const ObjectVersion& version) {
  return version.key.to_text() + version_text(version);
}

std::string show(const ApiObject& object) {
  struct Visitor {
    std::string operator()(const Service& service) const { return "Service " + show(service); }
    std::string operator()(const EndpointSlice& slice) const {
      return "EndpointSlice " + show(slice);
    }
    std::string operator()(const Namespace& name_space) const {
      return "Namespace " + show(name_space);
    }
    std::string operator()(const Pod& pod) const { return "Pod " + show(pod); }
    std::string operator()(const Node& node) const { return "Node " + show(node); }
    std::string operator()(const SkippedObject& skipped) const {
      return "skipped " + show(skipped.version);
    }
  };
  return std::visit(Visitor(), object);
}

}  // namespace waypost::test
