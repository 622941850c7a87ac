#include "records/publisher.h"

#include "dns/reverse_name.h"
#include "records/owner_name.h"
#include "records/service_writer.h"

#include <algorithm>
#include <set>
#include <utility>

namespace waypost::records {
namespace {

// Calls take(unique_ptr to the entry's node, its bytes), for kinds whose nodes the table alone
// holds.  Namespaces belong to the Publisher; ClusterAddress and EndpointAddress share the
// Service's node.
template <typename Take>
void with_node(const Entry& entry, Take&& take) {
  const auto owned = [&]<typename Node>(const Node* node) {
    take(std::unique_ptr<const Node>(node), sizeof(Node));
  };
  const auto block = [&]<typename Node>(const Node* node) {
    take(std::unique_ptr<const Node, FreeBlock>(node), node->bytes());
  };
  switch (entry.kind) {
    case NodeKind::Service: {
      const auto& node = entry.as<ServiceNode>();
      block(node.data.load(std::memory_order_relaxed));
      return block(&node);
    }
    case NodeKind::Address:
      return block(&entry.as<AddressNode>());
    case NodeKind::Pod:
      return owned(&entry.as<PodNode>());
    case NodeKind::Branch:
      return owned(&entry.as<BranchNode>());
    case NodeKind::Fixed:
      return owned(&entry.as<FixedNode>());
    case NodeKind::None:
    case NodeKind::NamespaceOfServices:
    case NodeKind::NamespaceOfPods:
    case NodeKind::ClusterAddress:
    case NodeKind::EndpointAddress:
      break;
  }
}

bool has_address(const ServiceData& data, const IpAddress& address) noexcept {
  return data.find_address(address).has_value() || data.has_cluster_ip(address);
}

void add_cluster_ips(const ServiceData* data, std::set<IpAddress>& to) {
  if (data == nullptr || data->kind() != ServiceData::Kind::ClusterIp) {
    return;
  }
  for (const auto& [all, size] :
       {std::pair(data->v4(), std::size_t{4}), std::pair(data->v6(), std::size_t{16})}) {
    for (std::size_t at = 0; at < all.size(); at += size) {
      to.insert(IpAddress::from_octets(all.subspan(at, size)));
    }
  }
}

// At most so many names come with a Service that changes at `addresses`.  The table must not grow
// while index and data say different things.
std::size_t room_for(const std::set<IpAddress>& addresses) {
  std::size_t names = 1;
  for (const IpAddress& address : addresses) {
    names += dns::reverse_labels(address);  // With branches.
  }
  return names;
}

OwnerName owner_of_service(const kube::ObjectKey& key, Bytes zone) noexcept {
  return OwnerName().label(key.name).label(key.name_space).label("svc").append(zone);
}

}  // namespace

Publisher::Publisher(const Options& options, cache::Feed& feed, rcu::RetireList& retired)
    : options_(options), feed_(feed), retired_(retired), index_(options, retired) {
  add_fixed_names();
  update_name_servers();
  feed_.subscribe(*this);
}

Publisher::~Publisher() {
  feed_.unsubscribe(*this);
  index_.table_.for_each(
      [](const Entry& entry) { with_node(entry, [](auto node, std::size_t) { node.reset(); }); });
}

void Publisher::retire_node(const Entry& entry) {
  with_node(entry,
            [this](auto node, std::size_t bytes) { retired_.retire(std::move(node), bytes); });
}

Entry Publisher::find(const OwnerName& name, NodeKind kind) const {
  dns::NameKey key;
  key.assign(name.wire());
  return index_.table_.find(key.hash, [&](const Entry& entry) {
    return (entry.kind == kind || kind == NodeKind::None) && index_.is_at(entry, key);
  });
}

bool Publisher::insert(const OwnerName& name, const Entry& entry) {
  if (!name.is_valid()) {
    ++oversized_;
    with_node(entry, [](auto node, std::size_t) { node.reset(); });  // Nobody has seen it.
    return false;
  }
  index_.table_.insert(dns::hash_name(name.wire()), entry);
  return true;
}

void Publisher::remove(const OwnerName& name, const Entry& entry) {
  index_.table_.remove(dns::hash_name(name.wire()), entry);
}

// ---------------------------------------------------------------------------- Services

bool Publisher::is_published(const cache::ServiceState& state) const {
  if (state.service == nullptr || !options_.labels.matches(state.service->labels)) {
    return false;
  }
  const bool may_be_empty = !options_.ignore_empty_services || state.service->headless ||
                            state.service->type == kube::ServiceType::ExternalName;
  return may_be_empty ||
         std::any_of(state.slices.begin(), state.slices.end(), [](const auto& slice) {
           return std::any_of(slice->endpoints.begin(), slice->endpoints.end(),
                              [](const auto& endpoint) { return endpoint.ready; });
         });
}

ServiceNode* Publisher::find_service(const kube::ObjectKey& key) const {
  const OwnerName name = owner_of_service(key, as_bytes(index_.zone_wire_));
  // Nodes are the writer's to change; readers have them as they are.
  return name.is_valid() ? const_cast<ServiceNode*>(index_.find_service(name.wire())) : nullptr;
}

void Publisher::on_service(const cache::ServiceDelta& delta) {
  if (namespaces_.contains(delta.key.name_space)) {
    update_service(delta.key, delta.before, delta.after);
    note_name_server(delta.key);
  }
}

// Brings what is published of a Service, which is `before` if anything, to `after`.
void Publisher::update_service(const kube::ObjectKey& key, const cache::ServiceState& before,
                               const cache::ServiceState& after) {
  ServiceNode* node = find_service(key);
  const ServiceData* old = node == nullptr ? nullptr : node->data.load(std::memory_order_relaxed);
  const bool is_shown = is_published(after);
  if (node != nullptr && (!is_shown || old->kind() != kind_of(*after.service))) {
    // Also when another kind follows: what the name stands for has changed.
    withdraw_service(*node);
    node = nullptr;
    old = nullptr;
  }
  if (!is_shown) {
    return;
  }
  const OwnerName name = owner_of_service(key, as_bytes(index_.zone_wire_));
  if (!name.is_valid()) {
    ++oversized_;
    return;
  }
  ServiceNode::Pointer fresh = node == nullptr ? ServiceNode::make(name.wire()) : nullptr;
  ServiceNode& service = node == nullptr ? *fresh : *node;
  static const cache::ServiceState nothing;
  const EndpointChanges changes = changes_of(service, node == nullptr ? nothing : before, after);
  ServiceData::Pointer data = make_service_data(*after.service, old, changes);
  if (data->kind() == ServiceData::Kind::Headless && data->endpoint_count() == 0) {
    // A headless Service without ready endpoints has no name (specification 1.1.0, 2.4.1).
    if (node != nullptr) {
      withdraw_service(*node);
    }
    return;
  }

  std::set<IpAddress> addresses;  // Whose names change.
  for (const EndpointChanges::Change& change : changes.changes) {
    addresses.insert(change.address);
  }
  if (old == nullptr || !std::ranges::equal(old->v4(), data->v4()) ||
      !std::ranges::equal(old->v6(), data->v6())) {
    add_cluster_ips(old, addresses);
    add_cluster_ips(data.get(), addresses);
  }
  index_.table_.reserve(room_for(addresses));
  count_oversized_ports(service, old, *data);

  // Addresses that the Service loses are taken from it while its old version still has them.
  for (const IpAddress& address : addresses) {
    if (old != nullptr && !has_address(*data, address)) {
      update_address(address, service, old, nullptr);
    }
  }
  const ServiceData* now = data.release();
  service.data.store(now, std::memory_order_release);
  if (fresh != nullptr) {
    index_.table_.insert(dns::hash_name(name.wire()), {NodeKind::Service, fresh.release()});
  }
  for (const IpAddress& address : addresses) {
    if (has_address(*now, address)) {
      update_address(address, service, old, now);
    }
  }
  if (old != nullptr) {
    retired_.retire(ServiceData::Pointer(old), old->bytes());
  }
}

void Publisher::withdraw_service(ServiceNode& node) {
  const ServiceData& data = *node.data.load(std::memory_order_relaxed);
  std::set<IpAddress> addresses;
  for (std::uint32_t i = 0; i < data.address_count(); ++i) {
    addresses.insert(IpAddress::from_octets(data.address(i)));
  }
  add_cluster_ips(&data, addresses);
  for (const IpAddress& address : addresses) {
    update_address(address, node, &data, nullptr);
  }
  // Last: an address that stands for a Service is told with it when the table grows.
  const Entry entry{NodeKind::Service, &node};
  index_.table_.remove(dns::hash_name(node.name()), entry);
  retire_node(entry);
}

EndpointChanges Publisher::changes_of(const ServiceNode& node, const cache::ServiceState& before,
                                      const cache::ServiceState& after) {
  if (after.service->type == kube::ServiceType::ExternalName) {
    return {};  // It has no endpoints, whatever slices say.
  }
  EndpointChanges changes =
      changes_between(before.slices, after.slices, options_.endpoint_pod_names);
  if (node.name_size + 1 + dns::MaxLabelSize > dns::MaxNameSize) {
    std::erase_if(changes.changes, [&](const EndpointChanges::Change& change) {
      const std::size_t label =
          change.label.empty() ? DashedLabel(change.address).text().size() : change.label.size();
      const bool is_oversized = node.name_size + 1 + label > dns::MaxNameSize;
      oversized_ += is_oversized && change.copies > 0 ? 1 : 0;
      return is_oversized;
    });
  }
  return changes;
}

// Counts ports that are new and whose names are too long.
void Publisher::count_oversized_ports(const ServiceNode& node, const ServiceData* before,
                                      const ServiceData& after) {
  for (const ServiceData::NamedPort& port : after.ports()) {
    const std::string_view name = after.name(port);
    const bool is_known =
        before != nullptr &&
        before->find_port(as_bytes(name), kube::to_text(port.protocol)) != nullptr;
    oversized_ += is_known || owner_of_port(node, name, port.protocol).is_valid() ? 0 : 1;
  }
}

}  // namespace waypost::records
