#include "sources/slice_deriver.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <variant>

namespace waypost::sources {
namespace {

// The number behind a Service's targetPort on one Pod; nothing when the Pod has no port of that
// name.
std::optional<std::uint16_t> resolve(const kube::ServicePort& port, const kube::Pod& pod) {
  if (const auto* number = std::get_if<std::uint16_t>(&port.target_port)) {
    return *number;
  }
  const auto& name = std::get<std::string>(port.target_port);
  const auto at = std::find_if(pod.ports.begin(), pod.ports.end(), [&](const auto& candidate) {
    return candidate.name == name && candidate.protocol == port.protocol;
  });
  return at == pod.ports.end() ? std::nullopt : std::optional(at->port);
}

// A port that a Pod does not have is left out of its slice; the Pod stays an endpoint.
std::vector<kube::EndpointPort> resolve_all(const kube::Service& service, const kube::Pod& pod) {
  std::vector<kube::EndpointPort> ports;
  for (const kube::ServicePort& port : service.ports) {
    if (const auto number = resolve(port, pod)) {
      ports.push_back({port.name, port.protocol, *number});
    }
  }
  return ports;
}

// Part of a slice's name: differs when the ports do.
std::string ports_text(const std::vector<kube::EndpointPort>& ports) {
  std::string text;
  for (const kube::EndpointPort& port : ports) {
    text += text.empty() ? "" : ".";
    text += to_text(port.protocol);
    text += std::to_string(port.port);
    text += port.name.empty() ? "" : "-" + port.name;
  }
  return text;
}

std::string slice_name(const kube::Service& service, kube::IpFamily family,
                       const std::vector<kube::EndpointPort>& ports) {
  static constexpr std::size_t MaxPortsText = 100;  // Names have at most 253 octets.
  const std::string ports_part = ports_text(ports);
  std::string name =
      service.key.name + (family == kube::IpFamily::V4 ? "-derived-ipv4" : "-derived-ipv6");
  if (ports_part.size() <= MaxPortsText) {
    return ports.empty() ? name : name + "-" + ports_part;
  }
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a, 64 bits.
  for (const char c : ports_part) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return name + "-" + std::to_string(hash);
}

kube::Endpoint make_endpoint(const kube::Service& service, const kube::Pod& pod,
                             const IpAddress& address) {
  kube::Endpoint endpoint;
  endpoint.address = address;
  endpoint.serving = pod.ready;
  endpoint.terminating = pod.terminating;
  endpoint.ready = service.publish_not_ready_addresses || (pod.ready && !pod.terminating);
  return endpoint;
}

}  // namespace

void PodIndex::add(const kube::Pod& pod) {
  auto& labels = namespaces_[pod.key.name_space];
  for (const Label& label : pod.labels) {
    labels[label].insert_or_assign(pod.key.name, &pod);
  }
}

void PodIndex::remove(const kube::Pod& pod) noexcept {
  const auto labels = namespaces_.find(pod.key.name_space);
  if (labels == namespaces_.end()) {
    return;
  }
  for (const Label& label : pod.labels) {
    const auto pods = labels->second.find(label);
    if (pods != labels->second.end() && pods->second.erase(pod.key.name) > 0 &&
        pods->second.empty()) {
      labels->second.erase(pods);
    }
  }
  if (labels->second.empty()) {
    namespaces_.erase(labels);
  }
}

std::vector<const kube::Pod*> PodIndex::find(const std::string& name_space,
                                             const kube::Labels& selector) const {
  const auto labels = namespaces_.find(name_space);
  if (labels == namespaces_.end()) {
    return {};
  }
  const PodsByName* rarest = nullptr;
  for (const Label& label : selector) {
    const auto pods = labels->second.find(label);
    if (pods == labels->second.end()) {
      return {};
    }
    if (rarest == nullptr || pods->second.size() < rarest->size()) {
      rarest = &pods->second;
    }
  }
  std::vector<const kube::Pod*> found;
  if (rarest != nullptr) {
    for (const auto& [name, pod] : *rarest) {
      if (kube::matches(pod->labels, selector)) {
        found.push_back(pod);
      }
    }
  }
  return found;
}

std::vector<kube::EndpointSlice> derive_slices(const kube::Service& service,
                                               const std::vector<const kube::Pod*>& pods,
                                               const std::vector<kube::IpFamily>& families) {
  // The name tells family and ports, so that it tells the slice.
  std::map<std::string, kube::EndpointSlice> slices;
  std::map<std::string, kube::SliceTraffic> traffic;
  for (const kube::Pod* pod : pods) {
    if (pod->phase == kube::PodPhase::Succeeded || pod->phase == kube::PodPhase::Failed) {
      continue;
    }
    const std::vector<kube::EndpointPort> ports = resolve_all(service, *pod);
    const bool has_hostname = !pod->hostname.empty() && pod->subdomain == service.key.name;
    for (const IpAddress& address : pod->ips) {
      const kube::IpFamily family = kube::family_of(address);
      if (std::find(families.begin(), families.end(), family) == families.end()) {
        continue;
      }
      const auto [at, is_new] = slices.try_emplace(slice_name(service, family, ports));
      kube::EndpointSlice& slice = at->second;
      if (is_new) {
        slice.key = {service.key.name_space, at->first};
        slice.resource_version = service.resource_version;
        slice.service_name = service.key.name;
        slice.ports = ports;
      }
      slice.resource_version = std::max(slice.resource_version, pod->resource_version);
      slice.add(make_endpoint(service, *pod, address), has_hostname ? pod->hostname : std::string(),
                pod->key.name);
      if (service.traffic) {
        traffic[at->first].placements.add(pod->node_name, {}, {});
      }
    }
  }
  std::vector<kube::EndpointSlice> result;
  for (auto& [name, slice] : slices) {
    if (service.traffic) {
      slice.traffic = kube::SharedPart(std::move(traffic[name]));
    }
    result.push_back(std::move(slice));
  }
  return result;
}

}  // namespace waypost::sources
