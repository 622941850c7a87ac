#include "records/index.h"

#include "dns/reverse_name.h"
#include "records/dashed_label.h"
#include "records/owner_name.h"
#include "records/record_sets.h"
#include "records/srv_records.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

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

std::string wire_of(const dns::Name& name) {
  return std::string(as_text(name.lowered().wire()));
}

// The first 128 octets; what is longer, the CPU fetches by itself while they are read.
void prefetch_lines(const void* object) noexcept {
  __builtin_prefetch(object);
  __builtin_prefetch(static_cast<const std::uint8_t*>(object) + 64);
}

// What clusters give to Services and Pods because nobody has it for himself: private networks (RFC
// 1918), what carriers share (RFC 6598), what is for benchmarks (RFC 2544), what is reserved (RFC
// 1112, 4), and unique local addresses (RFC 4193).
const std::array SharedNetworks = {
    IpPrefix::around(IpAddress::v4(10, 0, 0, 0), 8),
    IpPrefix::around(IpAddress::v4(172, 16, 0, 0), 12),
    IpPrefix::around(IpAddress::v4(192, 168, 0, 0), 16),
    IpPrefix::around(IpAddress::v4(100, 64, 0, 0), 10),
    IpPrefix::around(IpAddress::v4(198, 18, 0, 0), 15),
    IpPrefix::around(IpAddress::v4(240, 0, 0, 0), 4),
    IpPrefix::around(IpAddress::from_octets(std::array<std::uint8_t, 16>{0xfc}), 7),
};

bool overlap(const IpPrefix& left, const IpPrefix& right) noexcept {
  return left.length() < right.length() ? left.contains(right.base()) : right.contains(left.base());
}

// The addresses whose names are at and below a reverse name.
IpPrefix addresses_below(const dns::ReverseName& name) noexcept {
  const std::size_t bits = name.address.is_v4() ? 8 : 4;
  return IpPrefix::around(name.address, static_cast<unsigned>(name.labels * bits));
}

std::vector<Apex> apexes_of(const Options& options) {
  std::vector<Apex> apexes;
  if (!options.is_served) {
    return apexes;
  }
  const auto add = [&](const dns::Name& zone, bool is_reverse) {
    Apex apex{wire_of(zone), static_cast<std::uint8_t>(zone.label_count()), is_reverse};
    for (const dns::Name& each : options.fallthrough_zones) {
      if (zone.is_within(each)) {
        apex.falls_through_whole = true;
      } else if (each.is_within(zone)) {
        apex.parts.push_back(each.lowered());
      }
    }
    apexes.push_back(std::move(apex));
  };
  add(options.zone, false);
  for (const dns::Name& zone : options.reverse_zones) {
    add(zone, true);
  }
  std::sort(apexes.begin(), apexes.end(),
            [](const Apex& left, const Apex& right) { return left.labels > right.labels; });
  return apexes;
}

}  // namespace

bool Apex::is_in_parts(const dns::NameKey& name) const noexcept {
  return std::any_of(parts.begin(), parts.end(), [&](const dns::Name& part) {
    return name.is_within(part.wire(), part.label_count());
  });
}

Index::Index(const Options& options, rcu::RetireList& retired)
    : options_(options),
      zone_wire_(wire_of(options.zone)),
      zone_labels_(options.zone.label_count()),
      apexes_(apexes_of(options)),
      pods_{"\3pod" + zone_wire_, static_cast<std::uint8_t>(options.zone.label_count() + 1), false},
      table_(
          retired,
          [](const Entry& entry, const void* index, const NameTable::Tell& tell) {
            static_cast<const Index*>(index)->tell_hashes(entry, tell);
          },
          this) {}

Index::~Index() = default;

const Apex* Index::enclosing(const dns::NameKey& name) const noexcept {
  for (const Apex& apex : apexes_) {
    if (name.is_within(as_bytes(apex.wire), apex.labels)) {
      return &apex;
    }
  }
  return nullptr;
}

//------------------------------------------------------------------ finding

bool Index::is_at_address(const Entry& entry, const dns::ReverseName& name) noexcept {
  if (entry.kind == NodeKind::Branch) {
    const auto& node = entry.as<BranchNode>();
    return node.labels == name.labels && node.address == name.address;
  }
  if (!name.is_whole()) {
    return false;
  }
  if (entry.kind == NodeKind::Address) {
    return entry.as<AddressNode>().address == name.address;
  }
  const ServiceData& data = *entry.as<ServiceNode>().data.load(std::memory_order_acquire);
  return entry.kind == NodeKind::ClusterAddress ? data.has_cluster_ip(name.address)
                                                : data.find_address(name.address).has_value();
}

// True when the entry, whose hash fits, really stands at `name`.
bool Index::is_at(const Entry& entry, const dns::NameKey& name) const noexcept {
  switch (entry.kind) {
    case NodeKind::Service:
      return equal(entry.as<ServiceNode>().name(), name.wire());
    case NodeKind::NamespaceOfServices:
    case NodeKind::NamespaceOfPods: {
      const std::string_view parent = entry.kind == NodeKind::NamespaceOfPods ? "pod" : "svc";
      return name.label_count == pods_.labels + 1U && as_text(name.label(1)) == parent &&
             as_text(name.label(0)) == entry.as<NamespaceNode>().name &&
             equal(name.suffix(2), as_bytes(zone_wire_));
    }
    case NodeKind::Pod: {
      const auto& node = entry.as<PodNode>();
      return name.label_count == pods_.labels + 2U &&
             as_text(name.label(1)) == node.name_space->name &&
             as_text(name.label(0)) == DashedLabel(node.address).text() &&
             equal(name.suffix(2), as_bytes(pods_.wire));
    }
    case NodeKind::Fixed:
      return equal(as_bytes(entry.as<FixedNode>().wire), name.wire());
    case NodeKind::ClusterAddress:
    case NodeKind::EndpointAddress:
    case NodeKind::Address:
    case NodeKind::Branch: {
      const auto reverse = dns::read_reverse_name(name);
      return reverse && is_at_address(entry, *reverse);
    }
    case NodeKind::None:
      break;
  }
  return false;
}

// How many labels stand in front of a Service's name, if it can be one.
std::size_t Index::labels_in_front(const dns::NameKey& name) const noexcept {
  constexpr std::size_t ServiceLabels = 3;  // web.shop.svc
  const std::size_t labels =
      name.label_count - std::min<std::size_t>(zone_labels_, name.label_count);
  return labels > ServiceLabels && as_text(name.label(labels - 1)) == "svc" ? labels - ServiceLabels
                                                                            : 0;
}

Index::Search Index::begin(const dns::NameKey& name) const noexcept {
  const std::size_t in_front = labels_in_front(name);
  Search search;
  search.in_front = static_cast<std::uint8_t>(in_front);
  // Below a Service there are an endpoint's name, _protocol, and _port._protocol.
  if (in_front > 2 || (in_front == 2 && (name.label(0)[0] != '_' || name.label(1)[0] != '_'))) {
    search.has_looked = search.is_settled = true;
    return search;
  }
  search.probe = table_.begin(in_front == 0 ? name.hash : dns::hash_name(name.suffix(in_front)));
  NameTable::prefetch(search.probe);
  return search;
}

void Index::expect_node(Search& search) noexcept {
  if (search.has_looked) {
    return;
  }
  search.candidate = NameTable::next(search.probe);
  search.has_looked = true;
  if (search.candidate.kind != NodeKind::None) {
    prefetch_lines(search.candidate.node);
  }
}

void Index::expect_data(const Search& search) noexcept {
  if (search.candidate.kind == NodeKind::Service) {
    prefetch_lines(search.candidate.as<ServiceNode>().data.load(std::memory_order_acquire));
  }
}

void Index::settle(const dns::NameKey& name, Search& search) const noexcept {
  if (search.is_settled) {
    return;
  }
  if (!search.has_looked) {
    search.candidate = NameTable::next(search.probe);
    search.has_looked = true;
  }
  const auto is_wanted = [&](const Entry& entry) noexcept {
    return search.in_front == 0
               ? is_at(entry, name)
               : entry.kind == NodeKind::Service &&
                     equal(entry.as<ServiceNode>().name(), name.suffix(search.in_front));
  };
  while (search.candidate.kind != NodeKind::None && !is_wanted(search.candidate)) {
    search.candidate = NameTable::next(search.probe);
  }
  search.is_settled = true;
}

Index::Place Index::find_below_service(const dns::NameKey& name, const Search& search) noexcept {
  using What = Place::What;
  const Bytes first = name.label(0);
  Place place;
  place.service = &search.candidate.as<ServiceNode>();
  place.data = place.service->data.load(std::memory_order_acquire);
  if (search.in_front == 2) {
    place.port = place.data->find_port(first.subspan(1), as_text(name.label(1).subspan(1)));
    place.what = place.port != nullptr ? What::Port : What::Nothing;
  } else if (first[0] == '_') {
    const bool exists = place.data->has_protocol(as_text(first.subspan(1)));
    place.what = exists ? What::Protocol : What::Nothing;
  } else if (const auto endpoint = place.data->find_endpoint(first)) {
    place.endpoint = *endpoint;
    place.what = What::Endpoint;
  }
  return place;
}

const ServiceNode* Index::find_service(Bytes name) const noexcept {
  const Entry entry = table_.find(dns::hash_name(name), [&](const Entry& each) noexcept {
    return each.kind == NodeKind::Service && equal(each.as<ServiceNode>().name(), name);
  });
  return static_cast<const ServiceNode*>(entry.node);
}

bool Index::may_have(const Apex& apex, const dns::NameKey& name) const noexcept {
  if (name.label_count == apex.labels) {
    return true;
  }
  if (!apex.is_reverse) {
    const std::string_view branch = as_text(name.label(name.label_count - apex.labels - 1U));
    return branch == "svc" || branch == "pod" || branch == "dns" || branch == "dns-version";
  }
  const auto reverse = dns::read_reverse_name(name);
  if (!reverse) {
    return false;
  }
  const IpPrefix addresses = addresses_below(*reverse);
  const auto is_near = [&](const IpPrefix& network) noexcept {
    return overlap(network, addresses);
  };
  constexpr std::size_t LabelsOfAllAddresses = 2;  // in-addr.arpa
  return apex.labels > LabelsOfAllAddresses ||
         std::any_of(SharedNetworks.begin(), SharedNetworks.end(), is_near) ||
         std::any_of(options_.service_cidrs.begin(), options_.service_cidrs.end(), is_near);
}

bool Index::has(const dns::NameKey& name, Search& search) const noexcept {
  settle(name, search);
  return search.candidate.kind != NodeKind::None &&
         (search.in_front == 0 || find_below_service(name, search).what != Place::What::Nothing);
}

// Tells of each entry once, see NameTable: an address that stands for a Service, of which slots say
// no more, is told with the Service.
void Index::tell_hashes(const Entry& entry, const NameTable::Tell& tell) const {
  if (entry.kind == NodeKind::ClusterAddress || entry.kind == NodeKind::EndpointAddress) {
    return;
  }
  tell(dns::hash_name(owner_of(entry, as_bytes(zone_wire_)).wire()), entry);
  if (entry.kind != NodeKind::Service) {
    return;
  }
  const auto& service = entry.as<ServiceNode>();
  const ServiceData& data = *service.data.load(std::memory_order_relaxed);
  const auto tell_address = [&](Bytes octets, NodeKind kind) {
    const IpAddress address = IpAddress::from_octets(octets);
    dns::NameKey name;
    name.assign(owner_of_address(address).wire());
    const auto stands_alone = [&](const Entry& each) noexcept {
      return each.kind == NodeKind::Address && each.as<AddressNode>().address == address;
    };
    if (enclosing(name) != nullptr && table_.find(name.hash, stands_alone).kind == NodeKind::None) {
      tell(name.hash, {kind, &service});
    }
  };
  for (std::uint32_t i = 0; i < data.address_count(); ++i) {
    tell_address(data.address(i), NodeKind::EndpointAddress);
  }
  if (data.kind() == ServiceData::Kind::ClusterIp) {
    for (const auto& [all, size] :
         {std::pair(data.v4(), std::size_t{4}), std::pair(data.v6(), std::size_t{16})}) {
      for (std::size_t at = 0; at < all.size(); at += size) {
        tell_address(all.subspan(at, size), NodeKind::ClusterAddress);
      }
    }
  }
}

//------------------------------------------------------------------ answering

Outcome Index::solve(const Apex& apex, const dns::Lookup& lookup, Search& search,
                     dns::MessageWriter& out, dns::Target& next) const noexcept {
  settle(lookup.name, search);
  const Entry& entry = search.candidate;
  if (entry.kind == NodeKind::None) {
    return solve_computed(apex, lookup, out);
  }
  Place below;
  if (search.in_front != 0) {
    below = find_below_service(lookup.name, search);
    if (below.what == Place::What::Nothing) {
      return Outcome::NoName;
    }
  }
  if (lookup.type == RecordType::ANY) {
    const bool fits = out.add_record(Section::Answer, lookup.owner_name(), RecordType::HINFO,
                                     dns::RecordClass::IN, MinimalAnyTtl, as_bytes(MinimalAny));
    return finish_set(fits ? 1 : 0, fits, out);
  }
  if (search.in_front != 0) {
    return solve_below_service(below, lookup, out);
  }
  return entry.kind == NodeKind::Service ? solve_service(entry.as<ServiceNode>(), lookup, out, next)
                                         : solve_entry(entry, apex, lookup, out);
}

bool Index::has_addresses(const Apex& apex, const dns::NameKey& name,
                          Search& search) const noexcept {
  settle(name, search);
  const Entry& entry = search.candidate;
  if (entry.kind == NodeKind::None) {
    return compute_address(apex, name).has_value();
  }
  if (search.in_front != 0) {
    return find_below_service(name, search).what == Place::What::Endpoint;
  }
  switch (entry.kind) {
    case NodeKind::Service: {
      const ServiceData& data = *entry.as<ServiceNode>().data.load(std::memory_order_acquire);
      return data.kind() == ServiceData::Kind::Alias || !data.v4().empty() || !data.v6().empty();
    }
    case NodeKind::Pod:
      return true;
    case NodeKind::Fixed: {
      const NameServers* const servers = name_servers_.load(std::memory_order_acquire);
      return entry.as<FixedNode>().which == FixedNode::Which::NameServer && servers != nullptr &&
             (!servers->v4.empty() || !servers->v6.empty());
    }
    case NodeKind::ClusterAddress:
    case NodeKind::EndpointAddress:
    case NodeKind::Address:
    case NodeKind::NamespaceOfServices:
    case NodeKind::NamespaceOfPods:
    case NodeKind::Branch:
    case NodeKind::None:
      break;
  }
  return false;
}

Outcome Index::solve_below_service(const Place& place, const dns::Lookup& lookup,
                                   dns::MessageWriter& out) const noexcept {
  switch (place.what) {
    case Place::What::Endpoint:
      return solve_endpoint(place, lookup, out);
    case Place::What::Port:
      return solve_port(place, lookup, out);
    case Place::What::Protocol:
    case Place::What::Nothing:
      break;  // An empty non-terminal.
  }
  return Outcome::NoData;
}

Outcome Index::solve_entry(const Entry& entry, const Apex& apex, const dns::Lookup& lookup,
                           dns::MessageWriter& out) const noexcept {
  switch (entry.kind) {
    case NodeKind::Pod:
      return solve_address(entry.as<PodNode>().address, lookup, out);
    case NodeKind::ClusterAddress:
    case NodeKind::EndpointAddress:
    case NodeKind::Address:
      return solve_reverse(entry, lookup, out);
    case NodeKind::Fixed:
      return solve_fixed(entry.as<FixedNode>(), apex, lookup, out);
    case NodeKind::Service:
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

Outcome Index::solve_service(const ServiceNode& service, const dns::Lookup& lookup,
                             dns::MessageWriter& out, dns::Target& next) const noexcept {
  const ServiceData& data = *service.data.load(std::memory_order_acquire);
  if (data.kind() == ServiceData::Kind::Alias) {
    return solve_alias(data, lookup, out, next);
  }
  switch (lookup.type) {
    case RecordType::A:
      return write_addresses(data.v4(), 4, options_.ttl, lookup, out);
    case RecordType::AAAA:
      return write_addresses(data.v6(), 16, options_.ttl, lookup, out);
    case RecordType::SRV:
      return data.kind() == ServiceData::Kind::Headless
                 ? write_headless_srv(service, data, {}, data.bare_weight(), 0, options_.ttl,
                                      lookup, out)
                 : write_service_srv(service, data, data.port_numbers(), data.bare_weight(), 0,
                                     options_.ttl, lookup, out);
    default:
      return Outcome::NoData;
  }
}

// An ExternalName.  As with CoreDNS, other types than addresses do not follow it.
Outcome Index::solve_alias(const ServiceData& data, const dns::Lookup& lookup,
                           dns::MessageWriter& out, dns::Target& next) const noexcept {
  const bool is_address = lookup.type == RecordType::A || lookup.type == RecordType::AAAA;
  if (!is_address && lookup.type != RecordType::CNAME) {
    return Outcome::NoData;
  }
  const bool fits = out.add_name(Section::Answer, lookup.owner_name(), RecordType::CNAME,
                                 options_.ttl, dns::NameParts::whole(data.target()));
  if (!fits || !is_address) {
    return finish_set(fits ? 1 : 0, fits, out);
  }
  next.name.assign(data.target());
  next.owner = out.last_target();
  return Outcome::Follow;
}

Outcome Index::solve_port(const Place& place, const dns::Lookup& lookup,
                          dns::MessageWriter& out) const noexcept {
  // Differs from CoreDNS: A and AAAA at _http._tcp… are NODATA; the schema has only SRV there.
  if (lookup.type != RecordType::SRV) {
    return Outcome::NoData;
  }
  constexpr std::size_t ServiceLabel = 2;  // Behind _port and _protocol.
  const ServiceData::NamedPort& port = *place.port;
  if (place.data->kind() == ServiceData::Kind::Headless) {
    return write_headless_srv(*place.service, *place.data, {&port}, port.weight, ServiceLabel,
                              options_.ttl, lookup, out);
  }
  return write_service_srv(*place.service, *place.data, {&port.port, 1}, port.weight, ServiceLabel,
                           options_.ttl, lookup, out);
}

Outcome Index::solve_endpoint(const Place& place, const dns::Lookup& lookup,
                              dns::MessageWriter& out) const noexcept {
  const ServiceData& data = *place.data;
  const ServiceData::Endpoint& endpoint = place.endpoint;
  if (lookup.type == RecordType::SRV) {
    return write_endpoint_srv(*place.service, data, endpoint, options_.ttl, lookup, out);
  }
  if (lookup.type != RecordType::A && lookup.type != RecordType::AAAA) {
    return Outcome::NoData;
  }
  // Members with equal addresses stand side by side.
  const std::size_t size = lookup.type == RecordType::A ? 4 : 16;
  const auto address_at = [&](std::uint32_t i) noexcept {
    return data.member(endpoint.first_member + i).address;
  };
  const auto is_wanted = [&](std::uint32_t i) noexcept {
    return data.address(address_at(i)).size() == size &&
           (i == 0 || address_at(i - 1) != address_at(i));
  };
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < endpoint.member_count; ++i) {
    count += is_wanted(i) ? 1 : 0;
  }
  // From a random one on to the last, then those before it.
  const std::uint32_t start = lookup.rotation.below(count);
  std::size_t written = 0;
  for (const bool is_before_start : {false, true}) {
    std::uint32_t position = 0;
    for (std::uint32_t i = 0; i < endpoint.member_count; ++i) {
      if (!is_wanted(i) || (position++ < start) != is_before_start) {
        continue;
      }
      if (!out.add_address(Section::Answer, lookup.owner_name(), options_.ttl,
                           data.address(address_at(i)))) {
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
  if (entry.kind == NodeKind::ClusterAddress) {
    const bool fits = add(dns::NameParts::whole(entry.as<ServiceNode>().name()));
    return finish_set(written, fits, out);
  }
  if (entry.kind == NodeKind::EndpointAddress) {
    const auto& service = entry.as<ServiceNode>();
    const ServiceData& data = *service.data.load(std::memory_order_acquire);
    const auto endpoint = data.endpoint_with(dns::read_reverse_name(lookup.name)->address);
    if (!endpoint) {
      return Outcome::NoName;  // A version that came just now has lost it; its name goes as well.
    }
    ServiceData::LabelBuffer label;
    const bool fits = add({data.label_wire(*endpoint, label), service.name(), 0});
    return finish_set(written, fits, out);
  }
  // Not rotated: strict clients read the first (kubernetes/kubernetes#127716).
  const auto& node = entry.as<AddressNode>();
  for (const AddressNode::Name& name : node.names()) {
    const bool fits =
        add(name.is_service ? dns::NameParts::whole(name.service->name())
                            : dns::NameParts{node.label_wire(name), name.service->name(), 0});
    if (!fits) {
      return finish_set(written, false, out);
    }
    if (name.is_service || options_.ptr == PtrMode::Single) {
      break;  // A cluster IP is its Service's alone, whoever else has the address.
    }
  }
  return finish_set(written, true, out);
}

// Of a name that is not in the table, the address.  Only pods' names can still exist: in insecure
// mode they are made from the question alone, under every namespace there is.
std::optional<IpAddress> Index::compute_address(const Apex& apex,
                                                const dns::NameKey& name) const noexcept {
  if (options_.pods != PodsMode::Insecure || apex.is_reverse ||
      name.label_count != pods_.labels + 2U ||
      !name.is_within(as_bytes(pods_.wire), pods_.labels)) {
    return std::nullopt;
  }
  const Bytes parent = name.suffix(1);
  const Entry name_space = table_.find(dns::hash_name(parent), [&](const Entry& entry) noexcept {
    return entry.kind == NodeKind::NamespaceOfPods &&
           as_text(name.label(1)) == entry.as<NamespaceNode>().name;
  });
  return name_space.kind != NodeKind::None ? read_dashed_address(name.label(0)) : std::nullopt;
}

Outcome Index::solve_computed(const Apex& apex, const dns::Lookup& lookup,
                              dns::MessageWriter& out) const noexcept {
  const auto address = compute_address(apex, lookup.name);
  if (!address) {
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
