// SRV records (RFC 2782; Kubernetes DNS specification 1.1.0, 2.3.2 and 2.4.2) and their glue.
//
// Private to the room.  Weights share 100 among the records of a set, as CoreDNS has it:
// floor(100/N), at least 1.  Targets stand uncompressed, glue points back into the question where
// it can.

#pragma once

#include "dns/lookup.h"
#include "records/nodes.h"
#include "records/service_data.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace waypost::records {

// Which ports of an endpoint are wanted: one named port, or all.
struct PortFilter {
  const ServiceData::NamedPort* named = nullptr;

  bool accepts(const ServiceData& data, const ServiceData::Port& port) const noexcept {
    return named == nullptr ||
           (port.protocol == named->protocol && data.name(port) == data.name(*named));
  }
};

// How many records an endpoint with `ports` ports counts for in a weight.  As with CoreDNS, each
// slice that has the address counts, although equal records are written once; so does one without
// ports.
constexpr std::size_t srv_records_of(std::size_t ports, std::size_t copies) noexcept {
  return std::max<std::size_t>(ports, 1) * copies;
}

// The weight of each of `records` SRV records.
constexpr std::uint16_t srv_weight(std::size_t records) noexcept {
  return static_cast<std::uint16_t>(records == 0 || records > 100 ? 1 : 100 / records);
}

// The weight of the SRV records at an endpoint name.
inline std::uint16_t srv_weight(const ServiceData& data,
                                const ServiceData::Endpoint& endpoint) noexcept {
  std::size_t records = 0;
  for (std::uint32_t i = 0; i < endpoint.member_count; ++i) {
    const ServiceData::Member member = data.member(endpoint.first_member + i);
    records += srv_records_of(data.group(member.group).size(), member.copies);
  }
  return srv_weight(records);
}

// SRV of a ClusterIP Service: one record for each of `ports`, the Service's name as the target.
// `service_label` is where the Service's own name starts within lookup.name.
dns::Outcome write_service_srv(const ServiceNode& node, const ServiceData& data,
                               std::span<const std::uint16_t> ports, std::uint16_t weight,
                               std::size_t service_label, std::uint32_t ttl,
                               const dns::Lookup& lookup, dns::MessageWriter& out) noexcept;

// SRV of a headless Service: one record for each endpoint name and each of its distinct ports that
// `filter` accepts.
dns::Outcome write_headless_srv(const ServiceNode& node, const ServiceData& data, PortFilter filter,
                                std::uint16_t weight, std::size_t service_label, std::uint32_t ttl,
                                const dns::Lookup& lookup, dns::MessageWriter& out) noexcept;

// SRV at an endpoint name: one record for each of its distinct ports, itself as the target.
dns::Outcome write_endpoint_srv(const ServiceNode& node, const ServiceData& data,
                                const ServiceData::Endpoint& endpoint, std::uint32_t ttl,
                                const dns::Lookup& lookup, dns::MessageWriter& out) noexcept;

}  // namespace waypost::records
