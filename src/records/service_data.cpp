#include "records/service_data.h"

#include "dns/name.h"
#include "records/owner_name.h"
#include "records/srv_records.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace waypost::records {
namespace {

void append(const IpAddress& address, ServiceData& data) {
  auto& packed = address.is_v4() ? data.v4 : data.v6;
  const Bytes octets = address.octets();
  packed.insert(packed.end(), octets.begin(), octets.end());
}

void fill_cluster_ip(const kube::Service& service, ServiceData& data) {
  for (const IpAddress& address : service.cluster_ips) {
    append(address, data);
  }
  const std::size_t addresses = service.cluster_ips.size();
  // Weights count a record for each port and address, as CoreDNS does: two families halve them.
  data.bare_weight = srv_weight(service.ports.size() * addresses);
  for (const kube::ServicePort& port : service.ports) {
    if (!port.name.empty()) {
      data.ports.push_back({port.name, port.protocol, port.port, srv_weight(addresses)});
    }
    if (std::find(data.port_numbers.begin(), data.port_numbers.end(), port.port) ==
        data.port_numbers.end()) {
      data.port_numbers.push_back(port.port);
    }
  }
}

void fill_external_name(const kube::Service& service, ServiceData& data) {
  if (data.kind == ServiceData::Kind::Alias) {
    if (const auto target = dns::Name::from_text(service.external_name)) {
      data.target = std::string(as_text(target->lowered().wire()));
    }
    return;
  }
  if (const auto address = IpAddress::from_text(service.external_name)) {
    append(*address, data);
  }
}

std::vector<const EndpointNode*> replace_endpoints(
    const std::vector<const EndpointNode*>& before,
    std::span<const std::pair<const EndpointNode*, const EndpointNode*>> replaced) {
  std::unordered_map<const EndpointNode*, const EndpointNode*> successor;
  for (const auto& [old_node, new_node] : replaced) {
    if (old_node != nullptr) {
      successor.emplace(old_node, new_node);
    }
  }
  std::vector<const EndpointNode*> after;
  after.reserve(before.size() + replaced.size());
  for (const EndpointNode* node : before) {
    const auto found = successor.find(node);
    const EndpointNode* kept = found == successor.end() ? node : found->second;
    if (kept != nullptr) {
      after.push_back(kept);
    }
  }
  for (const auto& [old_node, new_node] : replaced) {
    if (old_node == nullptr && new_node != nullptr) {
      after.push_back(new_node);
    }
  }
  return after;
}

void fill_headless(ServiceData& data) {
  std::vector<IpAddress> addresses;
  std::map<std::pair<std::string_view, kube::Protocol>, std::size_t> named;
  std::size_t records = 0;
  for (const EndpointNode* node : data.endpoints) {
    for (const EndpointNode::Member& member : node->members()) {
      addresses.push_back(member.address);
      records += srv_records_of(member);
      for (const kube::EndpointPort& port : *member.ports) {
        if (!port.name.empty()) {
          named[{port.name, port.protocol}] += member.copies;
        }
      }
    }
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  for (const IpAddress& address : addresses) {
    append(address, data);
  }
  data.bare_weight = srv_weight(records);
  for (const auto& [port, count] : named) {
    data.ports.push_back({std::string(port.first), port.second, 0, srv_weight(count)});
  }
}

}  // namespace

ServiceData::Kind kind_of(const kube::Service& service) {
  if (service.type == kube::ServiceType::ExternalName) {
    // Differs from CoreDNS: an address is answered as one, as kube-dns did, not denied.
    return IpAddress::from_text(service.external_name) ? ServiceData::Kind::ClusterIp
                                                       : ServiceData::Kind::Alias;
  }
  return service.headless ? ServiceData::Kind::Headless : ServiceData::Kind::ClusterIp;
}

std::unique_ptr<ServiceNode> make_service_node(const kube::ObjectKey& key, Bytes zone) {
  const OwnerName name =
      OwnerName().label(key.name).label(key.name_space).label("svc").append(zone);
  if (!name.is_valid()) {
    return nullptr;
  }
  auto node = std::make_unique<ServiceNode>();
  node->wire = as_text(name.wire());
  node->hash = dns::hash_name(name.wire());
  return node;
}

std::unique_ptr<const ServiceData> make_service_data(
    const kube::Service& service, const ServiceData& before,
    std::span<const std::pair<const EndpointNode*, const EndpointNode*>> replaced) {
  auto data = std::make_unique<ServiceData>();
  data->kind = kind_of(service);
  if (service.type == kube::ServiceType::ExternalName) {
    fill_external_name(service, *data);
  } else if (data->kind == ServiceData::Kind::Headless) {
    data->endpoints = replace_endpoints(before.endpoints, replaced);
    fill_headless(*data);
  } else {
    fill_cluster_ip(service, *data);
  }
  return data;
}

std::size_t bytes_of(const ServiceData& data) noexcept {
  return sizeof data + data.v4.capacity() + data.v6.capacity() +
         data.ports.capacity() * sizeof(NamedPort) +
         data.endpoints.capacity() * sizeof(const EndpointNode*) + data.target.capacity();
}

bool has_address(const EndpointNode* node, const IpAddress& address) noexcept {
  return node != nullptr &&
         std::any_of(node->members().begin(), node->members().end(),
                     [&](const auto& member) { return member.address == address; });
}

}  // namespace waypost::records
