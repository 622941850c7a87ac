// The Publisher's part about addresses: their reverse names, and which of them have PTR records.

#include "records/publisher.h"

#include "dns/reverse_name.h"
#include "records/owner_name.h"
#include "records/service_data.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

namespace waypost::records {
namespace {

std::string to_text(const OwnerName& name) {
  const auto parsed = dns::Name::from_wire(name.wire());
  return parsed ? parsed->to_text() : std::string();
}

}  // namespace

bool Publisher::is_reverse_name_served(const IpAddress& address) const {
  dns::NameKey key;
  key.assign(owner_of_address(address).wire());
  return index_.enclosing(key) != nullptr;
}

// What stands at the reverse name of `address`.  Slots of one Service's addresses look alike, so
// that of an address of `service` may be taken for that of another; `own` says what kind of entry
// the Service has for this one so far.
Entry Publisher::find_address(const OwnerName& name, const ServiceNode& service,
                              NodeKind own) const {
  dns::NameKey key;
  key.assign(name.wire());
  return index_.table_.find(key.hash, [&](const Entry& entry) {
    return entry.node == &service ? entry.kind == own : index_.is_at(entry, key);
  });
}

// Replaces `service`'s names of an address, which are those in `before`, by those in `after`; null:
// there are none.  REQUIRES: the version of now has the address if either has it.
void Publisher::update_address(const IpAddress& address, const ServiceNode& service,
                               const ServiceData* before, const ServiceData* after) {
  if (!is_reverse_name_served(address)) {
    return;
  }
  const OwnerName name = owner_of_address(address);
  const NodeKind own = before == nullptr                 ? NodeKind::None
                       : before->has_cluster_ip(address) ? NodeKind::ClusterAddress
                       : before->find_address(address)   ? NodeKind::EndpointAddress
                                                         : NodeKind::None;
  const Entry old = find_address(name, service, own);
  std::vector<ReverseName> names = names_of(old, address, service);
  if (after != nullptr) {
    add_names(service, *after, address, names);
  }
  put_address(address, name, old, std::move(names));
}

// Adds the names that lead to `address` in one version of a Service.
void Publisher::add_names(const ServiceNode& service, const ServiceData& data,
                          const IpAddress& address, std::vector<ReverseName>& names) {
  if (data.has_cluster_ip(address)) {
    names.push_back({&service, {}, {}, false});
  }
  const auto index = data.find_address(address);
  if (!index) {
    return;
  }
  const auto add = [&](const ServiceData::Endpoint& endpoint) {
    ServiceData::LabelBuffer label;
    names.push_back({&service,
                     std::string(as_text(data.label_wire(endpoint, label))),
                     {},
                     data.kind() == ServiceData::Kind::Headless && data.has_hostname(endpoint)});
  };
  if (data.is_plain()) {
    return add(data.endpoint(*index));
  }
  for (std::uint32_t i = 0; i < data.endpoint_count(); ++i) {
    const ServiceData::Endpoint endpoint = data.endpoint(i);
    for (std::uint32_t m = 0; m < endpoint.member_count; ++m) {
      if (data.member(endpoint.first_member + m).address == *index) {
        add(endpoint);
        break;
      }
    }
  }
}

// What an entry of a reverse name says, but for names of one Service.
std::vector<Publisher::ReverseName> Publisher::names_of(const Entry& entry,
                                                        const IpAddress& address,
                                                        const ServiceNode& except) {
  std::vector<const ServiceNode*> services;
  if (entry.kind == NodeKind::Address) {
    for (const AddressNode::Name& name : entry.as<AddressNode>().names()) {
      services.push_back(name.service);
    }
  } else if (entry.kind != NodeKind::None) {
    services.push_back(&entry.as<ServiceNode>());
  }
  std::sort(services.begin(), services.end());
  services.erase(std::unique(services.begin(), services.end()), services.end());
  std::vector<ReverseName> names;
  for (const ServiceNode* service : services) {
    if (service != &except) {
      add_names(*service, *service->data.load(std::memory_order_relaxed), address, names);
    }
  }
  return names;
}

// Puts `names` where `before` stands, or may stand.
void Publisher::put_address(const IpAddress& address, const OwnerName& name, const Entry& before,
                            std::vector<ReverseName> names) {
  const bool was_there = before.kind != NodeKind::None;
  if (names.empty()) {
    if (was_there) {
      remove(name, before);
      count_branches(address, -1);
      retire_node(before);
    }
    return;
  }
  Entry after;
  if (names.size() == 1) {
    // Nearly all addresses: they need no node of their own.
    after = {names[0].label.empty() ? NodeKind::ClusterAddress : NodeKind::EndpointAddress,
             names[0].service};
  } else {
    for (ReverseName& each : names) {
      each.text = to_text(OwnerName().append(as_bytes(each.label)).append(each.service->name()));
    }
    // Services first, which hide endpoints; then hostnames of headless Services, which a strict
    // client wants to see first; then by name: the same on every replica.
    const auto order = [](const ReverseName& each) {
      return std::tuple(!each.label.empty(), !each.is_hostname, std::string_view(each.text));
    };
    std::sort(names.begin(), names.end(),
              [&](const ReverseName& a, const ReverseName& b) { return order(a) < order(b); });
    std::vector<AddressNode::Name> shown;
    std::string texts;
    for (const ReverseName& each : names) {
      shown.push_back({each.service, static_cast<std::uint32_t>(texts.size()), each.label.empty()});
      texts += each.label;
    }
    after = {NodeKind::Address, AddressNode::make(address, shown, texts).release()};
  }
  if (!was_there) {
    insert(name, after);
    count_branches(address, 1);
  } else if (after != before) {
    index_.table_.replace(dns::hash_name(name.wire()), before, after);
    retire_node(before);
  }
}

// Keeps the empty non-terminals between `address` and its zone's apex.
void Publisher::count_branches(const IpAddress& address, int change) {
  dns::NameKey whole;
  whole.assign(owner_of_address(address).wire());
  const std::size_t apex_labels = index_.enclosing(whole)->labels;
  constexpr std::size_t ArpaLabels = 2;  // in-addr.arpa, ip6.arpa
  for (std::size_t labels = dns::reverse_labels(address) - 1; labels + ArpaLabels > apex_labels;
       --labels) {
    const OwnerName name = owner_of_address(address, labels);
    const Entry before = find(name, NodeKind::Branch);
    if (before.kind == NodeKind::None) {
      insert(name, {NodeKind::Branch, new BranchNode{dns::reverse_prefix(address, labels),
                                                     static_cast<std::uint8_t>(labels), 1}});
      continue;
    }
    // The count is the writer's own; readers never look at it.
    auto& branch = const_cast<BranchNode&>(before.as<BranchNode>());
    branch.copies += static_cast<std::uint32_t>(change);
    if (branch.copies == 0) {
      remove(name, before);
      retire_node(before);
    }
  }
}

}  // namespace waypost::records
