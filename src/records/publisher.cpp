#include "records/publisher.h"

#include "records/owner_name.h"
#include "records/service_data.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace waypost::records {
namespace {

using cache::SlicePointer;

// Slices of `these` that are not among `those`.
std::vector<SlicePointer> without(const std::vector<SlicePointer>& these,
                                  const std::vector<SlicePointer>& those) {
  std::vector<SlicePointer> rest;
  for (const SlicePointer& slice : these) {
    if (std::find(those.begin(), those.end(), slice) == those.end()) {
      rest.push_back(slice);
    }
  }
  return rest;
}

auto order_of(const kube::EndpointPort& port) {
  return std::tie(port.name, port.protocol, port.port);
}

}  // namespace

bool Publisher::PortGroupOrder::operator()(const PortGroup& left,
                                           const PortGroup& right) const noexcept {
  return std::lexicographical_compare(
      left.begin(), left.end(), right.begin(), right.end(),
      [](const auto& a, const auto& b) { return order_of(a) < order_of(b); });
}

Publisher::Publisher(const Options& options, cache::ServiceCache& cache, rcu::RetireList& retired)
    : options_(options), cache_(cache), retired_(retired), index_(options, retired) {
  add_fixed_names();
  update_name_servers();
  cache_.subscribe(*this);
}

Publisher::~Publisher() {
  cache_.unsubscribe(*this);
  index_.table_.for_each([](const Entry& entry) { free_node(entry); });
}

void Publisher::collect_garbage() {
  for (const Garbage& garbage : std::exchange(garbage_, {})) {
    garbage.retire(retired_, garbage.object, garbage.bytes);
  }
}

void Publisher::discard_node(const Entry& entry) {
  with_node(entry, [&](auto node, std::size_t bytes) { discard(std::move(node), bytes); });
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
    discard_node(entry);
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

void Publisher::on_service(const cache::ServiceDelta& delta) {
  if (!namespaces_.contains(delta.key.name_space)) {
    return;
  }
  update_service(delta.key, delta.before, delta.after);
  note_name_server(delta.key, delta.after);
  collect_garbage();
}

// Brings what is published of a Service, which is `before` if anything, to `state`.
void Publisher::update_service(const kube::ObjectKey& key, const cache::ServiceState& before,
                               const cache::ServiceState& state) {
  static const cache::ServiceState nothing;
  auto at = services_.find(key);
  const bool was_published = at != services_.end();
  if (!is_published(state)) {
    if (was_published) {
      withdraw_service(at, before);
    }
    return;
  }

  const ServiceData::Kind kind = kind_of(*state.service);
  if (was_published && at->second.data->kind != kind) {
    // What a name stands for has changed; so has the order of PTR records.
    withdraw_service(at, before);
    at = services_.end();
  }
  const bool is_new = at == services_.end();
  if (is_new) {
    auto node = make_service_node(key, as_bytes(index_.zone_wire_));
    if (node == nullptr) {
      ++oversized_;
      return;
    }
    at = services_.try_emplace(key).first;
    at->second.data = std::make_unique<ServiceData>(ServiceData{.kind = kind});
    node->data.store(at->second.data.get(), std::memory_order_release);
    at->second.node = std::move(node);
  }

  Published& published = at->second;
  const Replaced replaced = update_endpoints(*published.node, is_new ? nothing : before, state);
  auto data = make_service_data(*state.service, *published.data, replaced);
  const ServiceData& now = *data;
  std::unique_ptr<const ServiceData> old = std::exchange(published.data, std::move(data));
  published.node->data.store(&now, std::memory_order_release);
  update_ports(*published.node, old.get(), &now);
  update_cluster_ips(published, state.service->cluster_ips);

  // A headless Service without ready endpoints has no name (specification 1.1.0, 2.4.1).
  const bool is_named = kind != ServiceData::Kind::Headless || !now.endpoints.empty();
  const Entry entry{NodeKind::Service, published.node.get()};
  if (is_named != published.is_named) {
    const std::uint64_t hash = published.node->hash;
    is_named ? index_.table_.insert(hash, entry) : index_.table_.remove(hash, entry);
    published.is_named = is_named;
  }
  const std::size_t bytes = bytes_of(*old);
  discard(std::move(old), bytes);
}

void Publisher::withdraw_service(Services::iterator at, const cache::ServiceState& before) {
  Published& published = at->second;
  if (published.is_named) {
    index_.table_.remove(published.node->hash, {NodeKind::Service, published.node.get()});
  }
  update_ports(*published.node, published.data.get(), nullptr);
  update_endpoints(*published.node, before, {});
  update_cluster_ips(published, {});
  const std::size_t bytes = bytes_of(*published.data);
  discard(std::move(published.data), bytes);
  discard(std::move(published.node), sizeof(ServiceNode));
  services_.erase(at);
}

// ---------------------------------------------------------------------------- endpoints

std::string Publisher::endpoint_label(const kube::EndpointSlice& slice,
                                      const kube::Endpoint& endpoint) const {
  if (const std::string_view hostname = slice.hostname(endpoint); !hostname.empty()) {
    return std::string(hostname);
  }
  const std::string_view pod = slice.pod_name(endpoint);
  // A Pod's name may have dots or be longer than a label; such a Pod goes by its address.
  if (options_.endpoint_pod_names && !pod.empty() && pod.size() <= dns::MaxLabelSize &&
      pod.find('.') == std::string_view::npos) {
    return std::string(pod);
  }
  return dashed(endpoint.address);
}

std::vector<Publisher::EndpointChange> Publisher::changes_of(
    const std::vector<SlicePointer>& before, const std::vector<SlicePointer>& after) {
  std::vector<EndpointChange> changes;
  const auto add = [&](const std::vector<SlicePointer>& slices, int copies) {
    for (const SlicePointer& slice : slices) {
      const PortGroup* ports = share_ports(slice->ports);
      for (const kube::Endpoint& endpoint : slice->endpoints) {
        if (endpoint.ready) {
          changes.push_back({endpoint_label(*slice, endpoint), !slice->hostname(endpoint).empty(),
                             endpoint.address, ports, copies});
        }
      }
    }
  };
  add(without(before, after), -1);
  add(without(after, before), 1);

  const auto identity = [](const EndpointChange& change) {
    return std::tie(change.label, change.address, change.ports);
  };
  std::sort(changes.begin(), changes.end(),
            [&](const auto& a, const auto& b) { return identity(a) < identity(b); });
  // What one slice loses and another gains is no change; most of an updated slice is that.
  std::vector<EndpointChange> net;
  for (EndpointChange& change : changes) {
    if (!net.empty() && identity(net.back()) == identity(change)) {
      net.back().copies += change.copies;
      net.back().has_hostname = net.back().has_hostname || change.has_hostname;
    } else {
      net.push_back(std::move(change));
    }
  }
  std::erase_if(net, [](const EndpointChange& change) { return change.copies == 0; });
  return net;
}

Publisher::Replaced Publisher::update_endpoints(const ServiceNode& service,
                                                const cache::ServiceState& before,
                                                const cache::ServiceState& after) {
  // An ExternalName has no endpoints, whatever slices say.
  const auto slices_of = [](const cache::ServiceState& state) {
    return state.service && state.service->type != kube::ServiceType::ExternalName
               ? state.slices
               : std::vector<SlicePointer>();
  };
  const std::vector<EndpointChange> changes = changes_of(slices_of(before), slices_of(after));
  Replaced replaced;
  for (std::size_t first = 0; first < changes.size();) {
    std::size_t end = first + 1;
    while (end < changes.size() && changes[end].label == changes[first].label) {
      ++end;
    }
    replaced.push_back(update_endpoint(service, std::span(changes).subspan(first, end - first)));
    first = end;
  }
  drop_unused_ports();
  return replaced;
}

// Applies the changes of one endpoint name; returns what it was and what it is.
std::pair<const EndpointNode*, const EndpointNode*> Publisher::update_endpoint(
    const ServiceNode& service, std::span<const EndpointChange> changes) {
  const std::string& label = changes.front().label;
  const OwnerName name = OwnerName().label(label).append(service.name());
  if (!name.is_valid()) {
    ++oversized_;
    return {nullptr, nullptr};
  }
  const Entry before = find(name, NodeKind::Endpoint);
  const auto* old_node = static_cast<const EndpointNode*>(before.node);

  std::vector<EndpointNode::Member> members;
  bool has_hostname = false;
  if (old_node != nullptr) {
    members.assign(old_node->members().begin(), old_node->members().end());
    has_hostname = old_node->has_hostname;
  }
  for (const EndpointChange& change : changes) {
    has_hostname = has_hostname || change.has_hostname;
    const auto member = std::find_if(members.begin(), members.end(), [&](const auto& m) {
      return m.address == change.address && m.ports == change.ports;
    });
    if (member == members.end()) {
      hold_ports(change.ports, 1);
      members.push_back({change.address, change.ports, static_cast<std::uint32_t>(change.copies)});
    } else if (member->copies + static_cast<std::uint32_t>(change.copies) == 0) {
      hold_ports(change.ports, -1);
      members.erase(member);
    } else {
      member->copies += static_cast<std::uint32_t>(change.copies);
    }
  }
  // Equal addresses side by side, so that an answer names each once.
  std::sort(members.begin(), members.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });

  EndpointNode* node = nullptr;
  if (!members.empty()) {
    node = EndpointNode::make(service, label, has_hostname, members).release();
    const Entry after{NodeKind::Endpoint, node};
    if (old_node != nullptr) {
      index_.table_.replace(dns::hash_name(name.wire()), before, after);
    } else {
      insert(name, after);
    }
  } else if (old_node != nullptr) {
    remove(name, before);
  }

  std::set<IpAddress> addresses;
  for (const EndpointNode* either : {old_node, static_cast<const EndpointNode*>(node)}) {
    if (either != nullptr) {
      for (const EndpointNode::Member& member : either->members()) {
        addresses.insert(member.address);
      }
    }
  }
  for (const IpAddress& address : addresses) {
    update_address(address, has_address(old_node, address) ? old_node : nullptr,
                   has_address(node, address) ? node : nullptr);
  }
  if (old_node != nullptr) {
    discard_node(before);
  }
  return {old_node, node};
}

const PortGroup* Publisher::share_ports(const PortGroup& ports) {
  SharedPorts& shared = port_groups_[ports];
  if (shared.ports == nullptr) {
    shared.ports = std::make_unique<const PortGroup>(ports);
  }
  touched_ports_.push_back(shared.ports.get());
  return shared.ports.get();
}

void Publisher::drop_unused_ports() {
  std::sort(touched_ports_.begin(), touched_ports_.end());
  const auto end = std::unique(touched_ports_.begin(), touched_ports_.end());
  for (auto at = touched_ports_.begin(); at != end; ++at) {
    const auto group = port_groups_.find(**at);
    if (group->second.users == 0) {
      discard(std::move(group->second.ports), sizeof(PortGroup));
      port_groups_.erase(group);
    }
  }
  touched_ports_.clear();
}

void Publisher::hold_ports(const PortGroup* ports, int change) {
  port_groups_.at(*ports).users += static_cast<std::size_t>(change);
}

// ---------------------------------------------------------------------------- ports

void Publisher::update_ports(const ServiceNode& node, const ServiceData* before,
                             const ServiceData* after) {
  using Key = std::pair<std::string, kube::Protocol>;
  const auto names_of = [](const ServiceData* data) {
    std::set<Key> names;
    if (data != nullptr) {
      for (const NamedPort& port : data->ports) {
        names.emplace(port.name, port.protocol);
        names.emplace("", port.protocol);  // The protocol itself: _tcp.web.shop.svc…
      }
    }
    return names;
  };
  const std::set<Key> old_names = names_of(before);
  const std::set<Key> new_names = names_of(after);
  for (const Key& key : new_names) {
    if (!old_names.contains(key)) {
      const auto& [port, protocol] = key;
      port.empty() ? insert(owner_of_protocol(node, protocol),
                            {NodeKind::Protocol, new ProtocolNode{&node, protocol}})
                   : insert(owner_of_port(node, port, protocol),
                            {NodeKind::Port, new PortNode{&node, port, protocol}});
    }
  }
  for (const Key& key : old_names) {
    if (!new_names.contains(key)) {
      const auto& [port, protocol] = key;
      const OwnerName name =
          port.empty() ? owner_of_protocol(node, protocol) : owner_of_port(node, port, protocol);
      const Entry entry = find(name, port.empty() ? NodeKind::Protocol : NodeKind::Port);
      if (entry.kind != NodeKind::None) {
        remove(name, entry);
        discard_node(entry);
      }
    }
  }
}

}  // namespace waypost::records
