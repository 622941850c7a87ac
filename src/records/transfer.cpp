// The content of a zone transfer: what the index answers, written out name by name.

#include "records/owner_name.h"
#include "records/publisher.h"
#include "records/srv_records.h"

#include "dns/ldns_bridge.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

void visit_addresses(const dns::Name& owner, Bytes v4, Bytes v6, std::uint32_t ttl,
                     const Visit& visit) {
  for (std::size_t at = 0; at < v4.size(); at += 4) {
    const Bytes octets = v4.subspan(at, 4);
    visit(record(owner, RecordType::A, ttl, {octets.begin(), octets.end()}));
  }
  for (std::size_t at = 0; at < v6.size(); at += 16) {
    const Bytes octets = v6.subspan(at, 16);
    visit(record(owner, RecordType::AAAA, ttl, {octets.begin(), octets.end()}));
  }
}

// The distinct ports of an endpoint that `filter` accepts.
std::set<std::uint16_t> ports_of(const ServiceData& data, const ServiceData::Endpoint& endpoint,
                                 PortFilter filter) {
  std::set<std::uint16_t> ports;
  for (std::uint32_t m = 0; m < endpoint.member_count; ++m) {
    for (const auto& port : data.group(data.member(endpoint.first_member + m).group)) {
      if (filter.accepts(data, port)) {
        ports.insert(port.port);
      }
    }
  }
  return ports;
}

void visit_endpoint(const ServiceNode& node, const ServiceData& data,
                    const ServiceData::Endpoint& endpoint, std::uint32_t ttl, const Visit& visit) {
  const OwnerName wire = owner_of_endpoint(node, data, endpoint);
  const dns::Name owner = name_of(wire.wire());
  std::set<std::uint32_t> addresses;
  for (std::uint32_t m = 0; m < endpoint.member_count; ++m) {
    addresses.insert(data.member(endpoint.first_member + m).address);
  }
  for (const std::uint32_t address : addresses) {
    const Bytes octets = data.address(address);
    visit(record(owner, octets.size() == 4 ? RecordType::A : RecordType::AAAA, ttl,
                 {octets.begin(), octets.end()}));
  }
  const std::uint16_t weight = srv_weight(data, endpoint);
  for (const std::uint16_t port : ports_of(data, endpoint, {})) {
    visit(record(owner, RecordType::SRV, ttl, srv_rdata(weight, port, wire.wire())));
  }
}

// A Service's endpoints in the order of their labels.
std::vector<ServiceData::Endpoint> endpoints_of(const ServiceData& data) {
  std::map<std::string, ServiceData::Endpoint> sorted;
  ServiceData::LabelBuffer buffer;
  for (std::uint32_t i = 0; i < data.endpoint_count(); ++i) {
    const ServiceData::Endpoint endpoint = data.endpoint(i);
    sorted.emplace(as_text(data.label_wire(endpoint, buffer).subspan(1)), endpoint);
  }
  std::vector<ServiceData::Endpoint> endpoints;
  endpoints.reserve(sorted.size());
  for (const auto& [label, endpoint] : sorted) {
    endpoints.push_back(endpoint);
  }
  return endpoints;
}

void visit_service(const ServiceNode& node, std::uint32_t ttl, const Visit& visit) {
  const ServiceData& data = *node.data.load(std::memory_order_relaxed);
  const dns::Name owner = name_of(node.name());
  if (data.kind() == ServiceData::Kind::Alias) {
    const Bytes target = data.target();
    visit(record(owner, RecordType::CNAME, ttl, {target.begin(), target.end()}));
    return;
  }
  visit_addresses(owner, data.v4(), data.v6(), ttl, visit);

  const std::vector<ServiceData::Endpoint> endpoints = endpoints_of(data);
  const auto visit_srv = [&](const dns::Name& name, PortFilter filter, std::uint16_t weight,
                             std::span<const std::uint16_t> numbers) {
    if (data.kind() == ServiceData::Kind::Headless) {
      for (const ServiceData::Endpoint& endpoint : endpoints) {
        for (const std::uint16_t port : ports_of(data, endpoint, filter)) {
          visit(record(name, RecordType::SRV, ttl,
                       srv_rdata(weight, port, owner_of_endpoint(node, data, endpoint).wire())));
        }
      }
    } else if (!data.v4().empty() || !data.v6().empty()) {
      for (const std::uint16_t port : numbers) {
        visit(record(name, RecordType::SRV, ttl, srv_rdata(weight, port, node.name())));
      }
    }
  };
  visit_srv(owner, {}, data.bare_weight(), data.port_numbers());
  for (const ServiceData::NamedPort& port : data.ports()) {
    const OwnerName name = owner_of_port(node, data.name(port), port.protocol);
    if (name.is_valid()) {
      visit_srv(name_of(name.wire()), {&port}, port.weight, {&port.port, 1});
    }
  }
  // Differs from CoreDNS: endpoint names of ClusterIP Services are part of the transfer too,
  // because they are part of the zone.
  for (const ServiceData::Endpoint& endpoint : endpoints) {
    visit_endpoint(node, data, endpoint, ttl, visit);
  }
}

// Namespace and name of a Service, whose name in DNS begins with the other way around.
std::pair<std::string_view, std::string_view> key_of(const ServiceNode& node) {
  const Bytes wire = node.name();
  const Bytes rest = wire.subspan(wire[0] + std::size_t{1});
  return {as_text(rest.subspan(1, rest[0])), as_text(wire.subspan(1, wire[0]))};
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

  std::vector<const ServiceNode*> services;
  std::vector<std::pair<dns::Name, const PodNode*>> pods;
  index_.table_.for_each([&](const Entry& entry) {
    if (entry.kind == NodeKind::Service) {
      services.push_back(&entry.as<ServiceNode>());
    } else if (entry.kind == NodeKind::Pod) {
      pods.emplace_back(name_of(owner_of(entry, zone).wire()), &entry.as<PodNode>());
    }
  });
  std::sort(services.begin(), services.end(),
            [](const ServiceNode* left, const ServiceNode* right) {
              return key_of(*left) < key_of(*right);
            });
  for (const ServiceNode* service : services) {
    visit_service(*service, ttl, visit);
  }
  std::sort(pods.begin(), pods.end(),
            [](const auto& left, const auto& right) { return left.first < right.first; });
  for (const auto& [name, pod] : pods) {
    const Bytes octets = pod->address.octets();
    visit(record(name, octets.size() == 4 ? RecordType::A : RecordType::AAAA, ttl,
                 {octets.begin(), octets.end()}));
  }
}

}  // namespace waypost::records
