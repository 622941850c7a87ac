// The Publisher's part around Services: addresses and their reverse names, namespaces, Pods, and
// the names that every cluster zone has.

#include "records/publisher.h"

#include "records/owner_name.h"
#include "records/reverse_name.h"
#include "records/service_data.h"

#include <algorithm>
#include <utility>

namespace waypost::records {
namespace {

std::size_t reverse_labels(const IpAddress& address) {
  return address.is_v4() ? ReverseLabelsV4 : ReverseLabelsV6;
}

// Hostnames of headless Services first, then by name: what a strict client wants to see first, and
// the same on every replica.
bool comes_first(const EndpointNode* left, const EndpointNode* right) {
  const auto rank = [](const EndpointNode* node) {
    const ServiceData* data = node->service->data.load(std::memory_order_relaxed);
    return node->has_hostname && data->kind == ServiceData::Kind::Headless ? 0 : 1;
  };
  const auto text = [](const EndpointNode* node) {
    const auto name = dns::Name::from_wire(owner_of_endpoint(*node).wire());
    return name ? name->to_text() : std::string();
  };
  return std::make_pair(rank(left), text(left)) < std::make_pair(rank(right), text(right));
}

// What an entry of a reverse name says.
AddressNode names_of(const Entry& entry, const IpAddress& address) {
  if (entry.kind == NodeKind::Address) {
    return entry.as<AddressNode>();
  }
  AddressNode names{address, {}, {}};
  if (entry.kind == NodeKind::EndpointAddress) {
    names.endpoints.push_back(&entry.as<EndpointNode>());
  }
  return names;
}

}  // namespace

// ---------------------------------------------------------------------------- addresses

bool Publisher::is_reverse_name_served(const IpAddress& address) const {
  dns::NameKey key;
  key.assign(owner_of_address(address, reverse_labels(address)).wire());
  return index_.enclosing(key) != nullptr;
}

void Publisher::update_address(const IpAddress& address, const EndpointNode* before,
                               const EndpointNode* after) {
  if (!is_reverse_name_served(address)) {
    return;
  }
  const Entry entry = find(owner_of_address(address, reverse_labels(address)), NodeKind::None);
  AddressNode names = names_of(entry, address);
  std::erase(names.endpoints, before);
  if (after != nullptr) {
    names.endpoints.insert(
        std::upper_bound(names.endpoints.begin(), names.endpoints.end(), after, comes_first),
        after);
  }
  put_address(address, entry, std::move(names));
}

void Publisher::update_cluster_ips(Published& published, const std::vector<IpAddress>& addresses) {
  const ServiceNode* node = published.node.get();
  for (const IpAddress& address : published.cluster_ips) {
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
      update_address_services(address, node, nullptr);
    }
  }
  for (const IpAddress& address : addresses) {
    if (std::find(published.cluster_ips.begin(), published.cluster_ips.end(), address) ==
        published.cluster_ips.end()) {
      update_address_services(address, nullptr, node);
    }
  }
  published.cluster_ips = addresses;
}

void Publisher::update_address_services(const IpAddress& address, const ServiceNode* before,
                                        const ServiceNode* after) {
  if (!is_reverse_name_served(address)) {
    return;
  }
  const Entry entry = find(owner_of_address(address, reverse_labels(address)), NodeKind::None);
  AddressNode names = names_of(entry, address);
  std::erase(names.services, before);
  if (after != nullptr) {
    const auto by_name = [](const ServiceNode* left, const ServiceNode* right) {
      return left->wire < right->wire;
    };
    names.services.insert(
        std::upper_bound(names.services.begin(), names.services.end(), after, by_name), after);
  }
  put_address(address, entry, std::move(names));
}

// Puts `names` where `before` stands, or may stand.
void Publisher::put_address(const IpAddress& address, const Entry& before, AddressNode names) {
  const OwnerName name = owner_of_address(address, reverse_labels(address));
  const bool was_there = before.kind != NodeKind::None;
  if (names.services.empty() && names.endpoints.empty()) {
    if (was_there) {
      remove(name, before);
      count_branches(address, -1);
      discard_node(before);
    }
    return;
  }
  // Most addresses belong to one endpoint name that has no other: they need no node of their own.
  const bool is_simple = names.services.empty() && names.endpoints.size() == 1 &&
                         names.endpoints[0]->member_count == 1;
  const Entry after = is_simple ? Entry{NodeKind::EndpointAddress, names.endpoints[0]}
                                : Entry{NodeKind::Address, new AddressNode(std::move(names))};
  if (was_there) {
    index_.table_.replace(dns::hash_name(name.wire()), before, after);
    discard_node(before);
    return;
  }
  insert(name, after);
  count_branches(address, 1);
}

// Keeps the empty non-terminals between `address` and its zone's apex.
void Publisher::count_branches(const IpAddress& address, int change) {
  dns::NameKey whole;
  whole.assign(owner_of_address(address, reverse_labels(address)).wire());
  const std::size_t apex_labels = index_.enclosing(whole)->labels;
  constexpr std::size_t ArpaLabels = 2;  // in-addr.arpa, ip6.arpa
  for (std::size_t labels = reverse_labels(address) - 1; labels + ArpaLabels > apex_labels;
       --labels) {
    const OwnerName name = owner_of_address(address, labels);
    const Entry before = find(name, NodeKind::Branch);
    if (before.kind == NodeKind::None) {
      insert(name, {NodeKind::Branch, new BranchNode{reverse_prefix(address, labels),
                                                     static_cast<std::uint8_t>(labels), 1}});
      continue;
    }
    // The count is the writer's own; readers never look at it.
    auto& branch = const_cast<BranchNode&>(before.as<BranchNode>());
    branch.copies += static_cast<std::uint32_t>(change);
    if (branch.copies == 0) {
      remove(name, before);
      discard_node(before);
    }
  }
}

// ---------------------------------------------------------------------------- namespaces

bool Publisher::is_exposed(const kube::Namespace& name_space) const {
  const auto& wanted = options_.namespaces;
  return (wanted.empty() ||
          std::find(wanted.begin(), wanted.end(), name_space.name) != wanted.end()) &&
         options_.namespace_labels.matches(name_space.labels);
}

void Publisher::on_namespace(const cache::ObjectDelta<kube::Namespace>& delta) {
  const std::string name = (delta.after != nullptr ? delta.after : delta.before)->name;
  const bool was_shown = namespaces_.contains(name);
  const bool is_shown = delta.after != nullptr && is_exposed(*delta.after);
  if (is_shown && !was_shown) {
    show_namespace(name);
  } else if (was_shown && !is_shown) {
    hide_namespace(name);
  }
  collect_garbage();
}

void Publisher::show_namespace(const std::string& name) {
  auto node = std::make_unique<NamespaceNode>(name);
  const Bytes zone = as_bytes(index_.zone_wire_);
  insert(OwnerName().label(name).label("svc").append(zone),
         {NodeKind::NamespaceOfServices, node.get()});
  if (options_.pods != PodsMode::Disabled) {
    insert(OwnerName().label(name).label("pod").append(zone),
           {NodeKind::NamespaceOfPods, node.get()});
  }
  namespaces_.emplace(name, std::move(node));

  static const cache::ServiceState nothing;
  cache_.for_each_service_in(name,
                             [&](const kube::ObjectKey& key, const cache::ServiceState& state) {
                               update_service(key, nothing, state);
                               note_name_server(key, state);
                             });
  cache_.for_each_pod_in(name, [&](const kube::Pod& pod) { update_pod(nullptr, &pod); });
}

void Publisher::hide_namespace(const std::string& name) {
  static const cache::ServiceState nothing;
  cache_.for_each_service_in(name,
                             [&](const kube::ObjectKey& key, const cache::ServiceState& state) {
                               if (const auto at = services_.find(key); at != services_.end()) {
                                 withdraw_service(at, state);
                                 note_name_server(key, nothing);
                               }
                             });
  cache_.for_each_pod_in(name, [&](const kube::Pod& pod) { update_pod(&pod, nullptr); });

  const Bytes zone = as_bytes(index_.zone_wire_);
  auto node = namespaces_.extract(name);
  remove(OwnerName().label(name).label("svc").append(zone),
         {NodeKind::NamespaceOfServices, node.mapped().get()});
  if (options_.pods != PodsMode::Disabled) {
    remove(OwnerName().label(name).label("pod").append(zone),
           {NodeKind::NamespaceOfPods, node.mapped().get()});
  }
  discard(std::move(node.mapped()), sizeof(NamespaceNode));
}

// ---------------------------------------------------------------------------- Pods

void Publisher::on_pod(const cache::ObjectDelta<kube::Pod>& delta) {
  if (namespaces_.contains((delta.after != nullptr ? delta.after : delta.before)->key.name_space)) {
    update_pod(delta.before, delta.after);
    collect_garbage();
  }
}

// Brings what is published of a Pod, which is `before` if anything, to `after`; null: nothing.
void Publisher::update_pod(const kube::Pod* before, const kube::Pod* after) {
  if (options_.pods != PodsMode::Verified) {
    return;
  }
  const auto count = [this](const kube::Pod* pod, int change) {
    // A Pod that has ended keeps its object and perhaps not its address.
    if (pod != nullptr &&
        (pod->phase == kube::PodPhase::Running || pod->phase == kube::PodPhase::Pending)) {
      for (const IpAddress& address : pod->ips) {
        count_pod_name(pod->key.name_space, address, change);
      }
    }
  };
  count(after, 1);
  count(before, -1);
}

void Publisher::count_pod_name(const std::string& name_space, const IpAddress& address,
                               int change) {
  const OwnerName name =
      OwnerName().label(dashed(address)).label(name_space).append(as_bytes(index_.pods_.wire));
  const Entry before = find(name, NodeKind::Pod);
  if (before.kind == NodeKind::None) {
    if (change > 0) {
      insert(name, {NodeKind::Pod, new PodNode{address, std::string(as_text(name.wire()))}});
    }
    return;
  }
  auto& node = const_cast<PodNode&>(before.as<PodNode>());
  node.copies += static_cast<std::uint32_t>(change);
  if (node.copies == 0) {
    remove(name, before);
    discard_node(before);
  }
}

// ---------------------------------------------------------------------------- the zone itself

void Publisher::add_fixed_names() {
  using Which = FixedNode::Which;
  const Bytes zone = as_bytes(index_.zone_wire_);
  const auto add = [&](Which which, const OwnerName& name) {
    insert(name, {NodeKind::Fixed, new FixedNode{which, std::string(as_text(name.wire()))}});
  };
  add(Which::Services, OwnerName().label("svc").append(zone));
  add(Which::Pods, OwnerName().label("pod").append(zone));
  add(Which::Dns, OwnerName().label("dns").append(zone));
  add(Which::NameServer, OwnerName().label("ns").label("dns").append(zone));
  add(Which::Version, OwnerName().label("dns-version").append(zone));
  for (const Apex& apex : index_.apexes_) {
    add(apex.is_reverse ? Which::ReverseApex : Which::Apex,
        OwnerName().append(as_bytes(apex.wire)));
  }
}

// Notes whether a Service leads to this very server, and makes the NS records anew when that
// matters.
void Publisher::note_name_server(const kube::ObjectKey& key, const cache::ServiceState& state) {
  const auto& own = options_.own_addresses;
  const bool is_own =
      services_.contains(key) &&
      std::any_of(state.slices.begin(), state.slices.end(), [&](const auto& slice) {
        return std::any_of(
            slice->endpoints.begin(), slice->endpoints.end(), [&](const auto& endpoint) {
              return endpoint.ready &&
                     std::find(own.begin(), own.end(), endpoint.address) != own.end();
            });
      });
  const bool was_own = is_own ? !own_services_.insert(key).second : own_services_.erase(key) != 0;
  if (is_own || was_own || key == DefaultNameService) {
    update_name_servers();
  }
}

void Publisher::update_name_servers() {
  auto fresh = std::make_unique<NameServers>();
  const auto add = [&](std::string wire, const std::vector<std::uint8_t>& v4,
                       const std::vector<std::uint8_t>& v6) {
    if (!v4.empty() || !v6.empty()) {
      fresh->servers.push_back({std::move(wire), v4, v6});
    }
  };
  const auto add_service = [&](const kube::ObjectKey& key) {
    const auto at = services_.find(key);
    if (at == services_.end()) {
      return;
    }
    const ServiceData& data = *at->second.data;
    if (data.kind != ServiceData::Kind::Headless) {
      add(at->second.node->wire, data.v4, data.v6);
      return;
    }
    for (const EndpointNode* endpoint : data.endpoints) {
      NameServers::Server server{std::string(as_text(owner_of_endpoint(*endpoint).wire())), {}, {}};
      for (const EndpointNode::Member& member : endpoint->members()) {
        const Bytes octets = member.address.octets();
        auto& packed = member.address.is_v4() ? server.v4 : server.v6;
        packed.insert(packed.end(), octets.begin(), octets.end());
      }
      add(server.wire, server.v4, server.v6);
    }
  };
  for (const kube::ObjectKey& key : own_services_) {
    add_service(key);
  }
  if (fresh->servers.empty()) {
    // Differs from CoreDNS: a server outside the cluster still names the cluster's DNS Service,
    // because its own address means nothing to pods.
    add_service(DefaultNameService);
  }
  if (fresh->servers.empty()) {
    NameServers::Server server{
        std::string(as_text(
            OwnerName().label("ns").label("dns").append(as_bytes(index_.zone_wire_)).wire())),
        {},
        {}};
    for (const IpAddress& address : options_.own_addresses) {
      const Bytes octets = address.octets();
      auto& packed = address.is_v4() ? server.v4 : server.v6;
      packed.insert(packed.end(), octets.begin(), octets.end());
    }
    add(server.wire, server.v4, server.v6);
  }

  std::set<std::vector<std::uint8_t>> seen;
  const auto collect = [&](const std::vector<std::uint8_t>& from, std::size_t size,
                           std::vector<std::uint8_t>& to) {
    for (std::size_t at = 0; at < from.size(); at += size) {
      const auto begin = from.begin() + static_cast<std::ptrdiff_t>(at);
      if (seen.emplace(begin, begin + static_cast<std::ptrdiff_t>(size)).second) {
        to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(size));
      }
    }
  };
  for (const NameServers::Server& server : fresh->servers) {
    collect(server.v4, 4, fresh->v4);
    collect(server.v6, 16, fresh->v6);
  }
  if (name_servers_ != nullptr && name_servers_->servers == fresh->servers) {
    return;
  }
  std::unique_ptr<const NameServers> before = std::exchange(name_servers_, std::move(fresh));
  index_.name_servers_.store(name_servers_.get(), std::memory_order_release);
  discard(std::move(before), sizeof(NameServers));
}

void Publisher::on_synced() {
  index_.ready_.store(true, std::memory_order_release);
}

void Publisher::on_resource_version(std::uint64_t version) {
  // Truncated: serials are compared modulo 2^32 (RFC 1982), so it still only goes forward.
  index_.serial_.store(static_cast<std::uint32_t>(version), std::memory_order_relaxed);
}

}  // namespace waypost::records
