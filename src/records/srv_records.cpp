#include "records/srv_records.h"

#include "records/record_sets.h"

#include <algorithm>

namespace waypost::records {
namespace {

using dns::Outcome;
using dns::Section;

// Calls visit(port number) for each distinct port of `node` that `filter` accepts, until it returns
// false.  An endpoint has a handful of ports; a second look at the earlier ones is cheaper than a
// set.
template <typename Visit>
bool for_each_port(const EndpointNode& node, PortFilter filter, Visit&& visit) noexcept {
  const auto members = node.members();
  const auto seen_before = [&](std::size_t member, std::size_t index,
                               std::uint16_t number) noexcept {
    for (std::size_t m = 0; m <= member; ++m) {
      const PortGroup& ports = *members[m].ports;
      if (m < member && &ports == members[member].ports) {
        return true;
      }
      const std::size_t end = m == member ? index : ports.size();
      for (std::size_t i = 0; i < end; ++i) {
        if (ports[i].port == number && filter.accepts(ports[i])) {
          return true;
        }
      }
    }
    return false;
  };
  for (std::size_t m = 0; m < members.size(); ++m) {
    const PortGroup& ports = *members[m].ports;
    for (std::size_t i = 0; i < ports.size(); ++i) {
      if (filter.accepts(ports[i]) && !seen_before(m, i, ports[i].port) && !visit(ports[i].port)) {
        return false;
      }
    }
  }
  return true;
}

bool has_port(const EndpointNode::Member& member, PortFilter filter) noexcept {
  return std::any_of(member.ports->begin(), member.ports->end(),
                     [&](const kube::EndpointPort& port) { return filter.accepts(port); });
}

// Addresses of the endpoint under `owner`, each once.  Of a hostname that several addresses share,
// only those count that have the port.
void add_endpoint_glue(const EndpointNode& node, PortFilter filter, const dns::NameParts& owner,
                       std::uint32_t ttl, dns::MessageWriter& out) noexcept {
  const auto members = node.members();
  for (std::size_t m = 0; m < members.size(); ++m) {
    bool is_wanted = has_port(members[m], filter);
    for (std::size_t earlier = 0; earlier < m && is_wanted; ++earlier) {
      is_wanted =
          members[earlier].address != members[m].address || !has_port(members[earlier], filter);
    }
    if (is_wanted &&
        !out.add_address(Section::Additional, owner, ttl, members[m].address.octets())) {
      return;
    }
  }
}

}  // namespace

Outcome write_service_srv(const ServiceNode& node, const ServiceData& data,
                          std::span<const std::uint16_t> ports, std::uint16_t weight,
                          std::size_t service_label, std::uint32_t ttl, const dns::Lookup& lookup,
                          dns::MessageWriter& out) noexcept {
  if (data.v4.empty() && data.v6.empty()) {
    return Outcome::NoData;  // No address is allocated yet: nothing to lead to.
  }
  const dns::NameParts owner = lookup.owner_name();
  const Outcome outcome = write_rotated(ports.size(), lookup, out, [&](std::size_t i) noexcept {
    return out.add_srv(Section::Answer, owner, ttl, 0, weight, ports[i],
                       dns::NameParts::whole(node.name()));
  });
  if (outcome == Outcome::Hit) {
    add_glue(lookup.suffix_name(service_label), ttl, data.v4, data.v6, out);
  }
  return outcome;
}

Outcome write_headless_srv(const ServiceNode& node, const ServiceData& data, PortFilter filter,
                           std::uint16_t weight, std::size_t service_label, std::uint32_t ttl,
                           const dns::Lookup& lookup, dns::MessageWriter& out) noexcept {
  const std::size_t count = data.endpoints.size();
  const std::size_t start = lookup.rotation.below(static_cast<std::uint32_t>(count));
  const dns::NameParts owner = lookup.owner_name();

  std::size_t written = 0;
  std::size_t covered = 0;  // Endpoints whose records are all in the message.
  bool complete = true;
  for (; covered < count && complete; ++covered) {
    const EndpointNode& endpoint = *data.endpoints[(start + covered) % count];
    complete = for_each_port(endpoint, filter, [&](std::uint16_t port) noexcept {
      const bool fits = out.add_srv(Section::Answer, owner, ttl, 0, weight, port,
                                    {endpoint.label_wire(), node.name(), 0});
      written += fits ? 1 : 0;
      return fits;
    });
  }

  const dns::NameParts service = lookup.suffix_name(service_label);
  for (std::size_t i = 0; i < covered && !out.is_truncated(); ++i) {
    const EndpointNode& endpoint = *data.endpoints[(start + i) % count];
    add_endpoint_glue(endpoint, filter, {endpoint.label_wire(), service.tail, service.pointer}, ttl,
                      out);
  }
  return finish_set(written, complete, out);
}

Outcome write_endpoint_srv(const EndpointNode& node, std::uint32_t ttl, const dns::Lookup& lookup,
                           dns::MessageWriter& out) noexcept {
  const std::uint16_t weight = srv_weight(node);
  const dns::NameParts owner = lookup.owner_name();
  std::size_t written = 0;
  const bool complete = for_each_port(node, {}, [&](std::uint16_t port) noexcept {
    const bool fits = out.add_srv(Section::Answer, owner, ttl, 0, weight, port,
                                  {node.label_wire(), node.service->name(), 0});
    written += fits ? 1 : 0;
    return fits;
  });
  if (complete && written != 0) {
    add_endpoint_glue(node, {}, owner, ttl, out);
  }
  return finish_set(written, complete, out);
}

}  // namespace waypost::records
