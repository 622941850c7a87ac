#include "records/index.h"

#include "records/owner_name.h"
#include "records/record_sets.h"
#include "records/reverse_name.h"
#include "records/srv_records.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace waypost::records {
namespace {

using dns::Outcome;
using dns::RecordType;
using dns::Section;
using namespace std::string_view_literals;

constexpr std::string_view NameServerHead = "\2ns\3dns"sv;
constexpr std::string_view HostmasterHead = "\12hostmaster"sv;
// RFC 8482, 4.2: what an ANY query gets in the place of everything.
constexpr std::string_view MinimalAny = "\7RFC8482\0"sv;
constexpr std::uint32_t MinimalAnyTtl = 8482;
constexpr std::uint32_t MaxSoaTtl = 300;

bool equal(Bytes left, Bytes right) noexcept {
  return left.size() == right.size() && std::memcmp(left.data(), right.data(), left.size()) == 0;
}

// "_tcp" for Tcp.
bool is_protocol_label(Bytes label, kube::Protocol protocol) noexcept {
  return !label.empty() && label[0] == '_' && as_text(label.subspan(1)) == kube::to_text(protocol);
}

std::string wire_of(const dns::Name& name) {
  return std::string(as_text(name.lowered().wire()));
}

std::vector<Apex> apexes_of(const Options& options) {
  std::vector<Apex> apexes;
  apexes.push_back(
      {wire_of(options.zone), static_cast<std::uint8_t>(options.zone.label_count()), false});
  for (const dns::Name& zone : options.reverse_zones) {
    apexes.push_back({wire_of(zone), static_cast<std::uint8_t>(zone.label_count()), true});
  }
  std::sort(apexes.begin(), apexes.end(),
            [](const Apex& left, const Apex& right) { return left.labels > right.labels; });
  return apexes;
}

// Reads 10-244-1-5 and fd00--1: three single dashes make IPv4, everything else IPv6, as CoreDNS
// does.
std::optional<IpAddress> read_dashed_address(Bytes label) noexcept {
  std::array<char, dns::MaxLabelSize> text{};
  const auto dashes = std::count(label.begin(), label.end(), '-');
  const bool v4 = dashes == 3 && as_text(label).find("--") == std::string_view::npos;
  std::transform(label.begin(), label.end(), text.begin(), [&](std::uint8_t c) {
    return c == '-' ? (v4 ? '.' : ':') : static_cast<char>(c);
  });
  return IpAddress::from_text({text.data(), label.size()});
}

std::uint64_t hash_of_entry(const Entry& entry, const void* context) {
  return dns::hash_name(
      owner_of(entry, as_bytes(*static_cast<const std::string*>(context))).wire());
}

}  // namespace

Index::Index(const Options& options, rcu::RetireList& retired)
    : options_(options),
      zone_wire_(wire_of(options.zone)),
      apexes_(apexes_of(options)),
      pods_{"\3pod" + zone_wire_, static_cast<std::uint8_t>(options.zone.label_count() + 1), false},
      table_(retired, hash_of_entry, &zone_wire_) {}

Index::~Index() = default;

const Apex* Index::enclosing(const dns::NameKey& name) const noexcept {
  for (const Apex& apex : apexes_) {
    if (name.is_within(as_bytes(apex.wire), apex.labels)) {
      return &apex;
    }
  }
  return nullptr;
}

// True when the entry, whose hash fits, really stands at `name`.
bool Index::is_at(const Entry& entry, const dns::NameKey& name) const noexcept {
  switch (entry.kind) {
    case NodeKind::Service:
      return equal(entry.as<ServiceNode>().name(), name.wire());
    case NodeKind::Endpoint: {
      const auto& node = entry.as<EndpointNode>();
      return name.label_count > 1 && equal(node.label(), name.label(0)) &&
             equal(node.service->name(), name.suffix(1));
    }
    case NodeKind::Port: {
      const auto& node = entry.as<PortNode>();
      return name.label_count > 2 && name.label(0)[0] == '_' &&
             as_text(name.label(0).subspan(1)) == node.name &&
             is_protocol_label(name.label(1), node.protocol) &&
             equal(node.service->name(), name.suffix(2));
    }
    case NodeKind::Protocol: {
      const auto& node = entry.as<ProtocolNode>();
      return name.label_count > 1 && is_protocol_label(name.label(0), node.protocol) &&
             equal(node.service->name(), name.suffix(1));
    }
    case NodeKind::NamespaceOfServices:
    case NodeKind::NamespaceOfPods: {
      const std::string_view parent = entry.kind == NodeKind::NamespaceOfPods ? "pod" : "svc";
      return name.label_count == pods_.labels + 1U && as_text(name.label(1)) == parent &&
             as_text(name.label(0)) == entry.as<NamespaceNode>().name &&
             equal(name.suffix(2), as_bytes(zone_wire_));
    }
    case NodeKind::Pod:
      return equal(as_bytes(entry.as<PodNode>().wire), name.wire());
    case NodeKind::Fixed:
      return equal(as_bytes(entry.as<FixedNode>().wire), name.wire());
    case NodeKind::EndpointAddress:
    case NodeKind::Address:
    case NodeKind::Branch: {
      const auto reverse = read_reverse_name(name);
      if (!reverse) {
        return false;
      }
      if (entry.kind == NodeKind::Branch) {
        const auto& node = entry.as<BranchNode>();
        return node.labels == reverse->labels && node.address == reverse->address;
      }
      const IpAddress& address = entry.kind == NodeKind::Address
                                     ? entry.as<AddressNode>().address
                                     : entry.as<EndpointNode>().members()[0].address;
      return reverse->is_whole() && address == reverse->address;
    }
    case NodeKind::None:
      break;
  }
  return false;
}

Entry Index::find(const dns::NameKey& name) const noexcept {
  return table_.find(name.hash, [&](const Entry& entry) noexcept { return is_at(entry, name); });
}

bool Index::has(const dns::NameKey& name) const noexcept {
  return find(name).kind != NodeKind::None;
}

Outcome Index::solve(const Apex& apex, const dns::Lookup& lookup, dns::MessageWriter& out,
                     dns::Target& next) const noexcept {
  const Entry entry = find(lookup.name);
  if (entry.kind == NodeKind::None) {
    return solve_computed(apex, lookup, out);
  }
  if (lookup.type == RecordType::ANY) {
    const bool fits = out.add_record(Section::Answer, lookup.owner_name(), RecordType::HINFO,
                                     dns::RecordClass::IN, MinimalAnyTtl, as_bytes(MinimalAny));
    return finish_set(fits ? 1 : 0, fits, out);
  }
  switch (entry.kind) {
    case NodeKind::Service:
      return solve_service(entry.as<ServiceNode>(), lookup, out, next);
    case NodeKind::Endpoint:
      return solve_endpoint(entry.as<EndpointNode>(), lookup, out);
    case NodeKind::Port:
      return solve_port(entry.as<PortNode>(), lookup, out);
    case NodeKind::Pod:
      return solve_address(entry.as<PodNode>().address, lookup, out);
    case NodeKind::EndpointAddress:
    case NodeKind::Address:
      return solve_reverse(entry, lookup, out);
    case NodeKind::Fixed:
      return solve_fixed(entry.as<FixedNode>(), apex, lookup, out);
    case NodeKind::Protocol:
    case NodeKind::NamespaceOfServices:
    case NodeKind::NamespaceOfPods:
    case NodeKind::Branch:
    case NodeKind::None:
      break;  // Empty non-terminals.
  }
  return Outcome::NoData;
}

Outcome Index::solve_fixed(const FixedNode& node, const Apex& apex, const dns::Lookup& lookup,
                           dns::MessageWriter& out) const noexcept {
  const bool is_apex =
      node.which == FixedNode::Which::Apex || node.which == FixedNode::Which::ReverseApex;
  if (is_apex && lookup.type == RecordType::SOA) {
    const bool fits = write_soa(Section::Answer, apex, lookup, soa_ttl(), out);
    return finish_set(fits ? 1 : 0, fits, out);
  }
  if (is_apex && lookup.type == RecordType::NS) {
    return write_name_servers(lookup, out);
  }
  if (node.which == FixedNode::Which::Version && lookup.type == RecordType::TXT) {
    const bool fits =
        out.add_record(Section::Answer, lookup.owner_name(), RecordType::TXT, dns::RecordClass::IN,
                       SchemaVersionTtl, as_bytes(SchemaVersion));
    return finish_set(fits ? 1 : 0, fits, out);
  }
  if (node.which == FixedNode::Which::NameServer) {
    const NameServers* servers = name_servers_.load(std::memory_order_acquire);
    if (servers != nullptr && lookup.type == RecordType::A) {
      return write_addresses(servers->v4, 4, options_.ttl, lookup, out);
    }
    if (servers != nullptr && lookup.type == RecordType::AAAA) {
      return write_addresses(servers->v6, 16, options_.ttl, lookup, out);
    }
  }
  return Outcome::NoData;
}

Outcome Index::write_name_servers(const dns::Lookup& lookup,
                                  dns::MessageWriter& out) const noexcept {
  const NameServers* all = name_servers_.load(std::memory_order_acquire);
  if (all == nullptr) {
    return Outcome::NoData;
  }
  const auto& servers = all->servers;
  const Outcome outcome = write_rotated(servers.size(), lookup, out, [&](std::size_t i) noexcept {
    return out.add_name(Section::Answer, lookup.owner_name(), RecordType::NS, options_.ttl,
                        dns::NameParts::whole(as_bytes(servers[i].wire)));
  });
  if (outcome == Outcome::Hit && !out.is_truncated()) {
    for (const NameServers::Server& server : servers) {
      add_glue(dns::NameParts::whole(as_bytes(server.wire)), options_.ttl, server.v4, server.v6,
               out);
    }
  }
  return outcome;
}

Outcome Index::solve_addresses(const ServiceData& data, const dns::Lookup& lookup,
                               dns::MessageWriter& out) const noexcept {
  return lookup.type == RecordType::A ? write_addresses(data.v4, 4, options_.ttl, lookup, out)
                                      : write_addresses(data.v6, 16, options_.ttl, lookup, out);
}

Outcome Index::solve_service(const ServiceNode& node, const dns::Lookup& lookup,
                             dns::MessageWriter& out, dns::Target& next) const noexcept {
  const ServiceData* data = node.data.load(std::memory_order_acquire);
  if (data->kind == ServiceData::Kind::Alias) {
    return solve_alias(*data, lookup, out, next);
  }
  if (data->kind == ServiceData::Kind::Headless && data->endpoints.empty()) {
    return Outcome::NoName;  // The version at hand has lost its last endpoint; its name goes in a
                             // moment.
  }
  if (lookup.type == RecordType::A || lookup.type == RecordType::AAAA) {
    return solve_addresses(*data, lookup, out);
  }
  if (lookup.type == RecordType::SRV) {
    return data->kind == ServiceData::Kind::Headless
               ? write_headless_srv(node, *data, {}, data->bare_weight, 0, options_.ttl, lookup,
                                    out)
               : write_service_srv(node, *data, data->port_numbers, data->bare_weight, 0,
                                   options_.ttl, lookup, out);
  }
  return Outcome::NoData;
}

// An ExternalName.  As with CoreDNS, other types than addresses do not follow it.
Outcome Index::solve_alias(const ServiceData& data, const dns::Lookup& lookup,
                           dns::MessageWriter& out, dns::Target& next) const noexcept {
  const bool is_address = lookup.type == RecordType::A || lookup.type == RecordType::AAAA;
  if (!is_address && lookup.type != RecordType::CNAME) {
    return Outcome::NoData;
  }
  const bool fits = out.add_name(Section::Answer, lookup.owner_name(), RecordType::CNAME,
                                 options_.ttl, dns::NameParts::whole(as_bytes(data.target)));
  if (!fits || !is_address) {
    return finish_set(fits ? 1 : 0, fits, out);
  }
  next.name.assign(as_bytes(data.target));
  next.owner = out.last_target();
  return Outcome::Follow;
}

Outcome Index::solve_port(const PortNode& node, const dns::Lookup& lookup,
                          dns::MessageWriter& out) const noexcept {
  // Differs from CoreDNS: A and AAAA at _http._tcp… are NODATA; the schema has only SRV there.
  if (lookup.type != RecordType::SRV) {
    return Outcome::NoData;
  }
  const ServiceData* data = node.service->data.load(std::memory_order_acquire);
  const auto port = std::find_if(data->ports.begin(), data->ports.end(), [&](const NamedPort& p) {
    return p.protocol == node.protocol && p.name == node.name;
  });
  if (port == data->ports.end()) {
    return Outcome::NoName;  // The version at hand has lost it already; its name goes in a moment.
  }
  constexpr std::size_t ServiceLabel = 2;  // Behind _port and _protocol.
  if (data->kind == ServiceData::Kind::Headless) {
    return write_headless_srv(*node.service, *data, {&*port}, port->weight, ServiceLabel,
                              options_.ttl, lookup, out);
  }
  return write_service_srv(*node.service, *data, {&port->port, 1}, port->weight, ServiceLabel,
                           options_.ttl, lookup, out);
}

Outcome Index::solve_endpoint(const EndpointNode& node, const dns::Lookup& lookup,
                              dns::MessageWriter& out) const noexcept {
  if (lookup.type == RecordType::SRV) {
    return write_endpoint_srv(node, options_.ttl, lookup, out);
  }
  if (lookup.type != RecordType::A && lookup.type != RecordType::AAAA) {
    return Outcome::NoData;
  }
  // Members with equal addresses stand side by side, see Publisher.
  const auto members = node.members();
  const auto is_wanted = [&](std::size_t i) noexcept {
    return members[i].address.is_v4() == (lookup.type == RecordType::A) &&
           (i == 0 || members[i - 1].address != members[i].address);
  };
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    count += is_wanted(i) ? 1 : 0;
  }
  // From a random one on to the last, then those before it.
  const std::uint32_t start = lookup.rotation.below(count);
  std::size_t written = 0;
  for (const bool is_before_start : {false, true}) {
    std::uint32_t position = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (!is_wanted(i) || (position++ < start) != is_before_start) {
        continue;
      }
      if (!out.add_address(Section::Answer, lookup.owner_name(), options_.ttl,
                           members[i].address.octets())) {
        return finish_set(written, false, out);
      }
      ++written;
    }
  }
  return finish_set(written, true, out);
}

Outcome Index::solve_address(const IpAddress& address, const dns::Lookup& lookup,
                             dns::MessageWriter& out) const noexcept {
  if (lookup.type != (address.is_v4() ? RecordType::A : RecordType::AAAA)) {
    return Outcome::NoData;
  }
  const bool fits =
      out.add_address(Section::Answer, lookup.owner_name(), options_.ttl, address.octets());
  return finish_set(fits ? 1 : 0, fits, out);
}

Outcome Index::solve_reverse(const Entry& entry, const dns::Lookup& lookup,
                             dns::MessageWriter& out) const noexcept {
  if (lookup.type != RecordType::PTR) {
    return Outcome::NoData;
  }
  std::size_t written = 0;
  const auto add = [&](const dns::NameParts& target) noexcept {
    const bool fits =
        out.add_name(Section::Answer, lookup.owner_name(), RecordType::PTR, options_.ttl, target);
    written += fits ? 1 : 0;
    return fits;
  };
  const auto add_endpoint = [&](const EndpointNode& node) noexcept {
    return add({node.label_wire(), node.service->name(), 0});
  };
  if (entry.kind == NodeKind::EndpointAddress) {
    const bool fits = add_endpoint(entry.as<EndpointNode>());
    return finish_set(written, fits, out);
  }
  const auto& node = entry.as<AddressNode>();
  if (!node.services.empty()) {
    const bool fits = add(dns::NameParts::whole(node.services.front()->name()));
    return finish_set(written, fits, out);
  }
  // Not rotated: strict clients read the first (kubernetes/kubernetes#127716).
  for (const EndpointNode* endpoint : node.endpoints) {
    if (!add_endpoint(*endpoint)) {
      return finish_set(written, false, out);
    }
    if (options_.ptr == PtrMode::Single) {
      break;
    }
  }
  return finish_set(written, true, out);
}

// A name that is not in the table.  Only pods' names can still exist: in insecure mode they are
// made from the question alone, under every namespace there is.
Outcome Index::solve_computed(const Apex& apex, const dns::Lookup& lookup,
                              dns::MessageWriter& out) const noexcept {
  const dns::NameKey& name = lookup.name;
  if (options_.pods != PodsMode::Insecure || apex.is_reverse ||
      name.label_count != pods_.labels + 2U ||
      !name.is_within(as_bytes(pods_.wire), pods_.labels)) {
    return Outcome::NoName;
  }
  const Bytes parent = name.suffix(1);
  const Entry name_space = table_.find(dns::hash_name(parent), [&](const Entry& entry) noexcept {
    return entry.kind == NodeKind::NamespaceOfPods &&
           as_text(name.label(1)) == entry.as<NamespaceNode>().name;
  });
  const auto address = read_dashed_address(name.label(0));
  if (name_space.kind == NodeKind::None || !address) {
    return Outcome::NoName;
  }
  if (lookup.type == RecordType::ANY) {
    const bool fits = out.add_record(Section::Answer, lookup.owner_name(), RecordType::HINFO,
                                     dns::RecordClass::IN, MinimalAnyTtl, as_bytes(MinimalAny));
    return finish_set(fits ? 1 : 0, fits, out);
  }
  return solve_address(*address, lookup, out);
}

dns::SoaTimes Index::soa_times() const noexcept {
  return {.serial = serial(), .minimum = options_.negative_ttl};
}

std::uint32_t Index::soa_ttl() const noexcept {
  return std::min(options_.ttl, MaxSoaTtl);
}

bool Index::write_soa(Section section, const Apex& apex, const dns::Lookup& lookup,
                      std::uint32_t ttl, dns::MessageWriter& out) const noexcept {
  const dns::NameParts zone =
      lookup.suffix_name(lookup.name.label_count - std::size_t{apex.labels});
  return out.add_soa(section, zone, ttl, {as_bytes(NameServerHead), zone.tail, zone.pointer},
                     {as_bytes(HostmasterHead), zone.tail, zone.pointer}, soa_times());
}

bool Index::add_soa(const Apex& apex, const dns::Lookup& lookup,
                    dns::MessageWriter& out) const noexcept {
  return write_soa(Section::Authority, apex, lookup, std::min(soa_ttl(), options_.negative_ttl),
                   out);
}

}  // namespace waypost::records
