// Makes the versions of a Service that the index holds, and frees nodes of every kind.
//
// Private to the room: pure functions that the Publisher puts together.

#pragma once

#include "kube/objects.h"
#include "records/name_table.h"
#include "records/nodes.h"

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace waypost::records {

// What kind of names the Service has.
ServiceData::Kind kind_of(const kube::Service& service);

// The node of a Service whose name fits into 255 octets; nullptr for others.  `zone` is in wire
// form.
std::unique_ptr<ServiceNode> make_service_node(const kube::ObjectKey& key, Bytes zone);

// The version of `service` that follows `before`, whose endpoints were replaced as `replaced` says
// (null: was not there, or is gone).
std::unique_ptr<const ServiceData> make_service_data(
    const kube::Service& service, const ServiceData& before,
    std::span<const std::pair<const EndpointNode*, const EndpointNode*>> replaced);

// About what a version occupies, in bytes.
std::size_t bytes_of(const ServiceData& data) noexcept;

// True when `node` is there and has `address`.
bool has_address(const EndpointNode* node, const IpAddress& address) noexcept;

// Calls take(unique_ptr to the entry's node, its bytes), for kinds whose nodes the table alone
// holds. Service nodes and namespaces belong to the Publisher; an EndpointAddress shares its
// Endpoint's node.
template <typename Take>
void with_node(const Entry& entry, Take&& take) {
  const auto owned = [&]<typename Node>(const Node* node) {
    take(std::unique_ptr<const Node>(node), sizeof(Node));
  };
  switch (entry.kind) {
    case NodeKind::Endpoint: {
      auto* node = const_cast<EndpointNode*>(&entry.as<EndpointNode>());
      take(EndpointNode::Pointer(node), node->bytes());
      break;
    }
    case NodeKind::Port:
      return owned(&entry.as<PortNode>());
    case NodeKind::Protocol:
      return owned(&entry.as<ProtocolNode>());
    case NodeKind::Pod:
      return owned(&entry.as<PodNode>());
    case NodeKind::Address:
      return owned(&entry.as<AddressNode>());
    case NodeKind::Branch:
      return owned(&entry.as<BranchNode>());
    case NodeKind::Fixed:
      return owned(&entry.as<FixedNode>());
    case NodeKind::None:
    case NodeKind::Service:
    case NodeKind::NamespaceOfServices:
    case NodeKind::NamespaceOfPods:
    case NodeKind::EndpointAddress:
      break;
  }
}

// Frees the entry's node at once, if the table alone holds it.
inline void free_node(const Entry& entry) {
  with_node(entry, [](auto node, std::size_t) { node.reset(); });
}

}  // namespace waypost::records
