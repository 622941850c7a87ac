// Asks the kernel in microseconds whether a packet filter table may have changed.

#pragma once

#include "kube/objects.h"
#include "proxy/rule_set.h"

#include <cstdint>

namespace waypost::proxy {

// The number of rules and the octets of a legacy table (IPT_SO_GET_INFO).  0 when it cannot be had.
std::uint64_t legacy_fingerprint(kube::IpFamily family, Table table) noexcept;

// The generation of nf_tables' rule set (NFT_MSG_GETGEN), which every transaction of anybody
// advances.  0 when it cannot be had.
std::uint64_t nft_generation() noexcept;

}  // namespace waypost::proxy
