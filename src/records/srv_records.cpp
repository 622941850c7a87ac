#include "records/srv_records.h"

#include "records/record_sets.h"

#include <algorithm>

namespace waypost::records {
namespace {

using dns::Outcome;
using dns::Section;

using Endpoint = ServiceData::Endpoint;

ServiceData::Member member_of(const ServiceData& data, const Endpoint& endpoint,
                              std::uint32_t index) noexcept {
  return data.member(endpoint.first_member + index);
}

// Calls visit(port number) for each distinct port of the endpoint that `filter` accepts, until it
// returns false.  An endpoint has a handful of ports; a second look at the earlier ones is cheaper
// than a set.
template <typename Visit>
bool for_each_port(const ServiceData& data, const Endpoint& endpoint, PortFilter filter,
                   Visit&& visit) noexcept {
  const auto seen_before = [&](std::uint32_t member, std::size_t index,
                               std::uint16_t number) noexcept {
    const std::uint32_t group = member_of(data, endpoint, member).group;
    for (std::uint32_t m = 0; m <= member; ++m) {
      const std::uint32_t earlier = member_of(data, endpoint, m).group;
      if (m < member && earlier == group) {
        return true;
      }
      const auto ports = data.group(earlier);
      const std::size_t end = m == member ? index : ports.size();
      for (std::size_t i = 0; i < end; ++i) {
        if (ports[i].port == number && filter.accepts(data, ports[i])) {
          return true;
        }
      }
    }
    return false;
  };
  for (std::uint32_t m = 0; m < endpoint.member_count; ++m) {
    const auto ports = data.group(member_of(data, endpoint, m).group);
    for (std::size_t i = 0; i < ports.size(); ++i) {
      if (filter.accepts(data, ports[i]) && !seen_before(m, i, ports[i].port) &&
          !visit(ports[i].port)) {
        return false;
      }
    }
  }
  return true;
}

bool has_port(const ServiceData& data, const ServiceData::Member& member,
              PortFilter filter) noexcept {
  const auto ports = data.group(member.group);
  return std::any_of(ports.begin(), ports.end(),
                     [&](const ServiceData::Port& port) { return filter.accepts(data, port); });
}

// Addresses of the endpoint under `owner`, each once.  Of a hostname that several addresses share,
// only those count that have the port.
void add_endpoint_glue(const ServiceData& data, const Endpoint& endpoint, PortFilter filter,
                       const dns::NameParts& owner, std::uint32_t ttl,
                       dns::MessageWriter& out) noexcept {
  for (std::uint32_t m = 0; m < endpoint.member_count; ++m) {
    const ServiceData::Member member = member_of(data, endpoint, m);
    bool is_wanted = has_port(data, member, filter);
    for (std::uint32_t earlier = m; earlier > 0 && is_wanted; --earlier) {
      const ServiceData::Member other = member_of(data, endpoint, earlier - 1);
      if (other.address != member.address) {
        break;  // Equal addresses stand side by side.
      }
      is_wanted = !has_port(data, other, filter);
    }
    if (is_wanted &&
        !out.add_address(Section::Additional, owner, ttl, data.address(member.address))) {
      return;
    }
  }
}

}  // namespace

Outcome write_service_srv(const ServiceNode& node, const ServiceData& data,
                          std::span<const std::uint16_t> ports, std::uint16_t weight,
                          std::size_t service_label, std::uint32_t ttl, const dns::Lookup& lookup,
                          dns::MessageWriter& out) noexcept {
  const Bytes v4 = data.v4();
  const Bytes v6 = data.v6();
  if (v4.empty() && v6.empty()) {
    return Outcome::NoData;  // No address is allocated yet: nothing to lead to.
  }
  const dns::NameParts owner = lookup.owner_name();
  const Outcome outcome = write_rotated(ports.size(), lookup, out, [&](std::size_t i) noexcept {
    return out.add_srv(Section::Answer, owner, ttl, 0, weight, ports[i],
                       dns::NameParts::whole(node.name()));
  });
  if (outcome == Outcome::Hit) {
    add_glue(lookup.suffix_name(service_label), ttl, v4, v6, out);
  }
  return outcome;
}

Outcome write_headless_srv(const ServiceNode& node, const ServiceData& data, PortFilter filter,
                           std::uint16_t weight, std::size_t service_label, std::uint32_t ttl,
                           const dns::Lookup& lookup, dns::MessageWriter& out) noexcept {
  const std::uint32_t count = data.endpoint_count();
  const std::uint32_t start = lookup.rotation.below(count);
  const auto at = [&](std::uint32_t i) noexcept {
    return data.endpoint(start + i < count ? start + i : start + i - count);
  };
  const dns::NameParts owner = lookup.owner_name();

  ServiceData::LabelBuffer label;
  std::size_t written = 0;
  std::uint32_t covered = 0;  // Endpoints whose records are all in the message.
  bool complete = true;
  for (; covered < count && complete; ++covered) {
    const Endpoint endpoint = at(covered);
    const dns::NameParts target{data.label_wire(endpoint, label), node.name(), 0};
    complete = for_each_port(data, endpoint, filter, [&](std::uint16_t port) noexcept {
      const bool fits = out.add_srv(Section::Answer, owner, ttl, 0, weight, port, target);
      written += fits ? 1 : 0;
      return fits;
    });
  }

  const dns::NameParts service = lookup.suffix_name(service_label);
  for (std::uint32_t i = 0; i < covered && !out.is_truncated(); ++i) {
    const Endpoint endpoint = at(i);
    add_endpoint_glue(data, endpoint, filter,
                      {data.label_wire(endpoint, label), service.tail, service.pointer}, ttl, out);
  }
  return finish_set(written, complete, out);
}

Outcome write_endpoint_srv(const ServiceNode& node, const ServiceData& data,
                           const Endpoint& endpoint, std::uint32_t ttl, const dns::Lookup& lookup,
                           dns::MessageWriter& out) noexcept {
  const std::uint16_t weight = srv_weight(data, endpoint);
  const dns::NameParts owner = lookup.owner_name();
  ServiceData::LabelBuffer label;
  const dns::NameParts target{data.label_wire(endpoint, label), node.name(), 0};
  std::size_t written = 0;
  const bool complete = for_each_port(data, endpoint, {}, [&](std::uint16_t port) noexcept {
    const bool fits = out.add_srv(Section::Answer, owner, ttl, 0, weight, port, target);
    written += fits ? 1 : 0;
    return fits;
  });
  if (complete && written != 0) {
    add_endpoint_glue(data, endpoint, {}, owner, ttl, out);
  }
  return finish_set(written, complete, out);
}

}  // namespace waypost::records
