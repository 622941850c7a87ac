// The reverse zones that cover an address prefix.

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "dns/name.h"

#include <string_view>
#include <vector>

namespace waypost::ops {

// Returns the zones below in-addr.arpa (RFC 1035, 3.5) or ip6.arpa (RFC 3596, 2.5) that together
// hold the addresses of `prefix` and no others: one when the prefix ends on an octet (IPv4) or a
// nibble (IPv6), up to 128 or 8 otherwise.  10.96.0.0/12 gives 96.10.in-addr.arpa to
// 111.10.in-addr.arpa.
std::vector<dns::Name> reverse_zones_of(const IpPrefix& prefix);

// Reads one entry of the option: a prefix, or a name at or below in-addr.arpa or ip6.arpa.
Result<std::vector<dns::Name>> reverse_zones_from_text(std::string_view text);

}  // namespace waypost::ops
