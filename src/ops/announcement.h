// What a program prints for the person who starts or stops it.

#pragma once

#include "base/ip_address.h"
#include "cache/service_cache.h"
#include "records/options.h"
#include "server/counters.h"
#include "server/responder.h"

#include <span>
#include <string>
#include <vector>

namespace waypost::ops {

// Returns up to three dig commands whose questions this very server answers with records: an
// address of a Service, an SRV record of one of its named ports, a PTR record.  Each is tried on
// `views` first. `address` is where the server listens; a wildcard becomes the loopback address.
// REQUIRES: the caller is no RCU reader and publishes `views` itself.
std::vector<std::string> example_queries(const cache::ServiceCache& cache, const dns::Name& zone,
                                         const server::Views& views, const SocketAddress& address);

// One line with the sums over all workers: "412 queries (400 udp, 12 tcp), …".
std::string totals(std::span<const server::Counters* const> workers);

}  // namespace waypost::ops
