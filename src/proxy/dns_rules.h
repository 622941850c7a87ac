// The rules that keep connection tracking away from DNS on the node's own addresses.
//
// A query to one of them and its answer make no entry, so that the table cannot fill up with them
// and A and AAAA from one port cannot race (k8s#56903); nor are they translated, which is what
// takes the cluster DNS Service's own address away from the rules for Services.  Every rule asks
// whether the address is local: when the interface that has it goes away, in whatever way, packets
// meet the rules for Services again, although these are still there.
//
// Not here: the addresses (proxy/local_device.h), bringing rules into the kernel
// (proxy/applier.h).

#pragma once

#include "base/ip_address.h"
#include "kube/objects.h"
#include "proxy/rule_set.h"

#include <cstdint>
#include <span>

namespace waypost::proxy {

// Of table raw: for those of `addresses` that are of `family`, UDP and TCP on `port`.
RuleSet dns_rules(std::span<const IpAddress> addresses, kube::IpFamily family, std::uint16_t port);

}  // namespace waypost::proxy
