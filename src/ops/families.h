// Which address family nobody here can use, so that nobody need be asked for its addresses.

#pragma once

#include "cache/service_cache.h"
#include "dns/types.h"

#include <cstdint>

namespace waypost::ops {

enum class Families : std::uint8_t {
  Both,
  Ipv4,  // AAAA is of no use.
  Ipv6,  // A is of no use.
  Auto,  // What nothing here has an address of is of no use.
};

// Of which families there are addresses.
struct FamilySigns {
  bool v4 = false;
  bool v6 = false;

  friend bool operator==(const FamilySigns&, const FamilySigns&) = default;
};

// The signs of this process' own network, which in a Pod is that of the Pods: addresses of its
// interfaces, without loopback and link-local ones.
FamilySigns own_signs();
// Those and the Services': their families and their ClusterIPs.
FamilySigns signs_of(const cache::ServiceCache& cache, FamilySigns own);

// A or AAAA, or 0 for none.  With Auto nothing is of no use until there is a sign of the other one.
dns::RecordType unusable_type(Families families, const FamilySigns& signs) noexcept;

}  // namespace waypost::ops
