// The Publisher's part around Services: namespaces, Pods, and the names that every cluster zone
// has.

#include "records/publisher.h"

#include "records/owner_name.h"
#include "records/service_data.h"

#include <algorithm>
#include <utility>

namespace waypost::records {
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
  feed_.for_each_service_in(name,
                            [&](const kube::ObjectKey& key, const cache::ServiceState& state) {
                              update_service(key, nothing, state);
                              note_name_server(key);
                            });
  feed_.for_each_pod_in(name, [&](const kube::Pod& pod) { update_pod(nullptr, &pod); });
}

void Publisher::hide_namespace(const std::string& name) {
  feed_.for_each_service_in(name, [&](const kube::ObjectKey& key, const cache::ServiceState&) {
    if (ServiceNode* node = find_service(key)) {
      withdraw_service(*node);
      note_name_server(key);
    }
  });
  feed_.for_each_pod_in(name, [&](const kube::Pod& pod) { update_pod(&pod, nullptr); });

  const Bytes zone = as_bytes(index_.zone_wire_);
  auto node = namespaces_.extract(name);
  remove(OwnerName().label(name).label("svc").append(zone),
         {NodeKind::NamespaceOfServices, node.mapped().get()});
  if (options_.pods != PodsMode::Disabled) {
    remove(OwnerName().label(name).label("pod").append(zone),
           {NodeKind::NamespaceOfPods, node.mapped().get()});
  }
  retired_.retire(std::move(node.mapped()), sizeof(NamespaceNode));
}

// ---------------------------------------------------------------------------- Pods

void Publisher::on_pod(const cache::ObjectDelta<kube::Pod>& delta) {
  if (namespaces_.contains((delta.after != nullptr ? delta.after : delta.before)->key.name_space)) {
    update_pod(delta.before, delta.after);
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
  const OwnerName name = owner_of_pod(address, name_space, as_bytes(index_.zone_wire_));
  const Entry before = find(name, NodeKind::Pod);
  if (before.kind == NodeKind::None) {
    if (change > 0) {
      insert(name, {NodeKind::Pod, new PodNode{namespaces_.at(name_space).get(), address}});
    }
    return;
  }
  auto& node = const_cast<PodNode&>(before.as<PodNode>());
  node.copies += static_cast<std::uint32_t>(change);
  if (node.copies == 0) {
    remove(name, before);
    retire_node(before);
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
void Publisher::note_name_server(const kube::ObjectKey& key) {
  const ServiceNode* node = find_service(key);
  const bool is_own =
      node != nullptr &&
      std::any_of(options_.own_addresses.begin(), options_.own_addresses.end(),
                  [&](const IpAddress& address) {
                    return node->data.load(std::memory_order_relaxed)->find_address(address);
                  });
  const bool was_own = is_own ? !own_services_.insert(key).second : own_services_.erase(key) != 0;
  if (is_own || was_own || key == DefaultNameService) {
    update_name_servers();
  }
}

void Publisher::update_name_servers() {
  auto fresh = std::make_unique<NameServers>();
  const auto add = [&](Bytes wire, Bytes v4, Bytes v6) {
    if (!v4.empty() || !v6.empty()) {
      fresh->servers.push_back(
          {std::string(as_text(wire)), {v4.begin(), v4.end()}, {v6.begin(), v6.end()}});
    }
  };
  const auto add_service = [&](const kube::ObjectKey& key) {
    const ServiceNode* node = find_service(key);
    if (node == nullptr) {
      return;
    }
    const ServiceData& data = *node->data.load(std::memory_order_relaxed);
    if (data.kind() != ServiceData::Kind::Headless) {
      return add(node->name(), data.v4(), data.v6());
    }
    for (std::uint32_t i = 0; i < data.endpoint_count(); ++i) {
      const ServiceData::Endpoint endpoint = data.endpoint(i);
      std::vector<std::uint8_t> v4;
      std::vector<std::uint8_t> v6;
      for (std::uint32_t m = 0; m < endpoint.member_count; ++m) {
        const Bytes octets = data.address(data.member(endpoint.first_member + m).address);
        auto& packed = octets.size() == 4 ? v4 : v6;
        packed.insert(packed.end(), octets.begin(), octets.end());
      }
      add(owner_of_endpoint(*node, data, endpoint).wire(), v4, v6);
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
    std::vector<std::uint8_t> v4;
    std::vector<std::uint8_t> v6;
    for (const IpAddress& address : options_.own_addresses) {
      const Bytes octets = address.octets();
      auto& packed = address.is_v4() ? v4 : v6;
      packed.insert(packed.end(), octets.begin(), octets.end());
    }
    add(OwnerName().label("ns").label("dns").append(as_bytes(index_.zone_wire_)).wire(), v4, v6);
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
  retired_.retire(std::move(before), sizeof(NameServers));
}

void Publisher::on_synced() {
  index_.ready_.store(true, std::memory_order_release);
}

void Publisher::on_resource_version(std::uint64_t version) {
  // Truncated: serials are compared modulo 2^32 (RFC 1982), so it still only goes forward.
  index_.serial_.store(static_cast<std::uint32_t>(version), std::memory_order_relaxed);
}

}  // namespace waypost::records
