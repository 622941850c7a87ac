// The content of a zone transfer: what the index answers, written out name by name.

#include "records/owner_name.h"
#include "records/publisher.h"
#include "records/srv_records.h"

#include "dns/ldns_bridge.h"

#include <algorithm>
#include <set>

namespace waypost::records {
namespace {

using dns::Record;
using dns::RecordType;
using Visit = std::function<void(const Record&)>;
using Rdata = std::vector<std::uint8_t>;

dns::Name name_of(Bytes wire) {
  // Everything in the index was built from valid labels and checked for length.
  return dns::Name::from_wire(wire).value_or(dns::Name());
}

void append(Rdata& to, Bytes from) {
  to.insert(to.end(), from.begin(), from.end());
}

void append_u16(Rdata& to, std::uint16_t value) {
  std::array<std::uint8_t, 2> octets{};
  store_u16(octets.data(), value);
  append(to, octets);
}

void append_u32(Rdata& to, std::uint32_t value) {
  std::array<std::uint8_t, 4> octets{};
  store_u32(octets.data(), value);
  append(to, octets);
}

Record record(const dns::Name& owner, RecordType type, std::uint32_t ttl, Rdata rdata) {
  return {owner, type, dns::RecordClass::IN, ttl, std::move(rdata)};
}

Rdata srv_rdata(std::uint16_t weight, std::uint16_t port, Bytes target) {
  Rdata rdata;
  append_u16(rdata, 0);
  append_u16(rdata, weight);
  append_u16(rdata, port);
  append(rdata, target);
  return rdata;
}

void visit_addresses(const dns::Name& owner, const std::vector<std::uint8_t>& v4,
                     const std::vector<std::uint8_t>& v6, std::uint32_t ttl, const Visit& visit) {
  for (std::size_t at = 0; at < v4.size(); at += 4) {
    const Bytes octets = Bytes(v4).subspan(at, 4);
    visit(record(owner, RecordType::A, ttl, {octets.begin(), octets.end()}));
  }
  for (std::size_t at = 0; at < v6.size(); at += 16) {
    const Bytes octets = Bytes(v6).subspan(at, 16);
    visit(record(owner, RecordType::AAAA, ttl, {octets.begin(), octets.end()}));
  }
}

// The distinct ports of an endpoint that `filter` accepts.
std::set<std::uint16_t> ports_of(const EndpointNode& node, PortFilter filter) {
  std::set<std::uint16_t> ports;
  for (const EndpointNode::Member& member : node.members()) {
    for (const kube::EndpointPort& port : *member.ports) {
      if (filter.accepts(port)) {
        ports.insert(port.port);
      }
    }
  }
  return ports;
}

void visit_endpoint(const EndpointNode& node, std::uint32_t ttl, const Visit& visit) {
  const OwnerName wire = owner_of_endpoint(node);
  const dns::Name owner = name_of(wire.wire());
  std::set<IpAddress> addresses;
  for (const EndpointNode::Member& member : node.members()) {
    addresses.insert(member.address);
  }
  for (const IpAddress& address : addresses) {
    const Bytes octets = address.octets();
    visit(record(owner, address.is_v4() ? RecordType::A : RecordType::AAAA, ttl,
                 {octets.begin(), octets.end()}));
  }
  for (const std::uint16_t port : ports_of(node, {})) {
    visit(record(owner, RecordType::SRV, ttl, srv_rdata(srv_weight(node), port, wire.wire())));
  }
}

void visit_service(const ServiceNode& node, const ServiceData& data, std::uint32_t ttl,
                   const Visit& visit) {
  const dns::Name owner = name_of(node.name());
  if (data.kind == ServiceData::Kind::Alias) {
    const Bytes target = as_bytes(data.target);
    visit(record(owner, RecordType::CNAME, ttl, {target.begin(), target.end()}));
    return;
  }
  visit_addresses(owner, data.v4, data.v6, ttl, visit);

  const auto visit_srv = [&](const dns::Name& name, PortFilter filter, std::uint16_t weight,
                             std::span<const std::uint16_t> numbers) {
    if (data.kind == ServiceData::Kind::Headless) {
      for (const EndpointNode* endpoint : data.endpoints) {
        for (const std::uint16_t port : ports_of(*endpoint, filter)) {
          visit(record(name, RecordType::SRV, ttl,
                       srv_rdata(weight, port, owner_of_endpoint(*endpoint).wire())));
        }
      }
    } else if (!data.v4.empty() || !data.v6.empty()) {
      for (const std::uint16_t port : numbers) {
        visit(record(name, RecordType::SRV, ttl, srv_rdata(weight, port, node.name())));
      }
    }
  };
  visit_srv(owner, {}, data.bare_weight, data.port_numbers);
  for (const NamedPort& port : data.ports) {
    const OwnerName name = owner_of_port(node, port.name, port.protocol);
    if (name.is_valid()) {
      visit_srv(name_of(name.wire()), {&port}, port.weight, {&port.port, 1});
    }
  }
}

}  // namespace

void Publisher::for_each_record(const Visit& visit) const {
  const std::uint32_t ttl = options_.ttl;
  const Bytes zone = as_bytes(index_.zone_wire_);
  const dns::Name apex = name_of(zone);
  const auto under_apex = [&](std::initializer_list<std::string_view> labels) {
    OwnerName name;
    for (const std::string_view label : labels) {
      name.label(label);
    }
    return name.append(zone);
  };

  const dns::SoaTimes times = index_.soa_times();
  Rdata soa;
  append(soa, under_apex({"ns", "dns"}).wire());
  append(soa, under_apex({"hostmaster"}).wire());
  for (const std::uint32_t value :
       {times.serial, times.refresh, times.retry, times.expire, times.minimum}) {
    append_u32(soa, value);
  }
  visit(record(apex, RecordType::SOA, index_.soa_ttl(), std::move(soa)));
  for (const NameServers::Server& server : name_servers_->servers) {
    const Bytes target = as_bytes(server.wire);
    visit(record(apex, RecordType::NS, ttl, {target.begin(), target.end()}));
  }
  visit(record(name_of(under_apex({"dns-version"}).wire()), RecordType::TXT, SchemaVersionTtl,
               {SchemaVersion.begin(), SchemaVersion.end()}));
  visit_addresses(name_of(under_apex({"ns", "dns"}).wire()), name_servers_->v4, name_servers_->v6,
                  ttl, visit);

  std::vector<const Services::value_type*> services;
  for (const auto& service : services_) {
    services.push_back(&service);
  }
  std::sort(services.begin(), services.end(),
            [](const auto* left, const auto* right) { return left->first < right->first; });
  for (const auto* service : services) {
    const Published& published = service->second;
    visit_service(*published.node, *published.data, ttl, visit);
    // Differs from CoreDNS: endpoint names of ClusterIP Services are part of the transfer too,
    // because they are part of the zone.
    std::set<std::string> labels;
    const auto state = cache_.find(service->first);
    for (const cache::SlicePointer& slice : state->slices) {
      for (const kube::Endpoint& endpoint : slice->endpoints) {
        if (endpoint.ready) {
          labels.insert(endpoint_label(*slice, endpoint));
        }
      }
    }
    for (const std::string& label : labels) {
      const Entry entry =
          find(OwnerName().label(label).append(published.node->name()), NodeKind::Endpoint);
      if (entry.kind != NodeKind::None) {
        visit_endpoint(entry.as<EndpointNode>(), ttl, visit);
      }
    }
  }

  std::vector<const PodNode*> pods;
  index_.table_.for_each([&](const Entry& entry) {
    if (entry.kind == NodeKind::Pod) {
      pods.push_back(&entry.as<PodNode>());
    }
  });
  std::sort(pods.begin(), pods.end(),
            [](const PodNode* left, const PodNode* right) { return left->wire < right->wire; });
  for (const PodNode* pod : pods) {
    const Bytes octets = pod->address.octets();
    visit(record(name_of(as_bytes(pod->wire)),
                 pod->address.is_v4() ? RecordType::A : RecordType::AAAA, ttl,
                 {octets.begin(), octets.end()}));
  }
}

}  // namespace waypost::records
