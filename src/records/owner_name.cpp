#include "records/owner_name.h"

#include "records/reverse_name.h"

namespace waypost::records {

std::string dashed(const IpAddress& address) {
  std::string text = address.to_text();
  std::replace_if(text.begin(), text.end(), [](char c) { return c == '.' || c == ':'; }, '-');
  // A label must not end in a dash: fd00:: becomes fd00--0, as with CoreDNS.
  return text.ends_with('-') ? text + "0" : text;
}

OwnerName owner_of_endpoint(const EndpointNode& node) noexcept {
  return OwnerName().append(node.label_wire()).append(node.service->name());
}

OwnerName owner_of_port(const ServiceNode& service, std::string_view port,
                        kube::Protocol protocol) noexcept {
  return OwnerName().label(port, "_").label(kube::to_text(protocol), "_").append(service.name());
}

OwnerName owner_of_protocol(const ServiceNode& service, kube::Protocol protocol) noexcept {
  return OwnerName().label(kube::to_text(protocol), "_").append(service.name());
}

OwnerName owner_of_address(const IpAddress& address, std::size_t labels) noexcept {
  return OwnerName().append(write_reverse_name(address, labels).wire());
}

OwnerName owner_of(const Entry& entry, Bytes zone) noexcept {
  const auto whole = [](const IpAddress& address) {
    return owner_of_address(address, address.is_v4() ? ReverseLabelsV4 : ReverseLabelsV6);
  };
  switch (entry.kind) {
    case NodeKind::Service:
      return OwnerName().append(entry.as<ServiceNode>().name());
    case NodeKind::Endpoint:
      return owner_of_endpoint(entry.as<EndpointNode>());
    case NodeKind::Port: {
      const auto& node = entry.as<PortNode>();
      return owner_of_port(*node.service, node.name, node.protocol);
    }
    case NodeKind::Protocol: {
      const auto& node = entry.as<ProtocolNode>();
      return owner_of_protocol(*node.service, node.protocol);
    }
    case NodeKind::NamespaceOfServices:
      return OwnerName().label(entry.as<NamespaceNode>().name).label("svc").append(zone);
    case NodeKind::NamespaceOfPods:
      return OwnerName().label(entry.as<NamespaceNode>().name).label("pod").append(zone);
    case NodeKind::Pod:
      return OwnerName().append(as_bytes(entry.as<PodNode>().wire));
    case NodeKind::EndpointAddress:
      return whole(entry.as<EndpointNode>().members()[0].address);
    case NodeKind::Address:
      return whole(entry.as<AddressNode>().address);
    case NodeKind::Branch: {
      const auto& node = entry.as<BranchNode>();
      return owner_of_address(node.address, node.labels);
    }
    case NodeKind::Fixed:
      return OwnerName().append(as_bytes(entry.as<FixedNode>().wire));
    case NodeKind::None:
      break;
  }
  return OwnerName();
}

}  // namespace waypost::records
