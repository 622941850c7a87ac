#include "records/owner_name.h"

#include "dns/reverse_name.h"

namespace waypost::records {

OwnerName owner_of_endpoint(const ServiceNode& service, const ServiceData& data,
                            const ServiceData::Endpoint& endpoint) noexcept {
  ServiceData::LabelBuffer buffer;
  return OwnerName().append(data.label_wire(endpoint, buffer)).append(service.name());
}

OwnerName owner_of_port(const ServiceNode& service, std::string_view port,
                        kube::Protocol protocol) noexcept {
  return OwnerName().label(port, "_").label(kube::to_text(protocol), "_").append(service.name());
}

OwnerName owner_of_pod(const IpAddress& address, std::string_view name_space, Bytes zone) noexcept {
  return OwnerName()
      .append(DashedLabel(address).wire())
      .label(name_space)
      .label("pod")
      .append(zone);
}

OwnerName owner_of_address(const IpAddress& address, std::size_t labels) noexcept {
  return OwnerName().append(dns::write_reverse_name(address, labels).wire());
}

OwnerName owner_of_address(const IpAddress& address) noexcept {
  return owner_of_address(address, dns::reverse_labels(address));
}

OwnerName owner_of(const Entry& entry, Bytes zone) noexcept {
  switch (entry.kind) {
    case NodeKind::Service:
      return OwnerName().append(entry.as<ServiceNode>().name());
    case NodeKind::NamespaceOfServices:
      return OwnerName().label(entry.as<NamespaceNode>().name).label("svc").append(zone);
    case NodeKind::NamespaceOfPods:
      return OwnerName().label(entry.as<NamespaceNode>().name).label("pod").append(zone);
    case NodeKind::Pod: {
      const auto& node = entry.as<PodNode>();
      return owner_of_pod(node.address, node.name_space->name, zone);
    }
    case NodeKind::Address:
      return owner_of_address(entry.as<AddressNode>().address);
    case NodeKind::Branch: {
      const auto& node = entry.as<BranchNode>();
      return owner_of_address(node.address, node.labels);
    }
    case NodeKind::Fixed:
      return OwnerName().append(as_bytes(entry.as<FixedNode>().wire));
    case NodeKind::ClusterAddress:
    case NodeKind::EndpointAddress:
    case NodeKind::None:
      break;
  }
  return OwnerName();
}

}  // namespace waypost::records
