// The fields that a Service proxy reads (kube/traffic.h) and those that are measured by, as parts
// of the objects' decoders.

#pragma once

#include "kube/field_reader.h"
#include "kube/objects.h"
#include "kube/traffic.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace waypost::kube {

// `object` is the whole Service; `service` is decoded as far as its ports.  What is wrong is noted
// in `reader`.
ServiceTraffic decode_service_traffic(FieldReader& reader, const Field& object,
                                      const Service& service);

// Adds what `endpoint`, an element of a slice's endpoints, says for each of its addresses.
void decode_placements(FieldReader& reader, const Field& endpoint, std::size_t addresses,
                       Placements& placements);

// What is no time is none: times are there to measure by, and no reason to lose an object.
ChangeTimes decode_change_times(FieldReader& reader, const Field& metadata);

// An RFC 3339 time, such as 2026-01-31T12:00:00.5Z, in Unix milliseconds.
std::optional<std::int64_t> parse_time_ms(std::string_view text) noexcept;

// Addresses and prefixes as old objects may still have them (kube-proxy normalizes them alike):
// IPv4 with leading zeros, which do not make it octal, and blanks around; a prefix also with host
// bits, which are cleared.
std::optional<IpAddress> parse_lenient_address(std::string_view text);
std::optional<IpPrefix> parse_lenient_prefix(std::string_view text);

}  // namespace waypost::kube
