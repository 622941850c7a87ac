// What one worker counts.  Written by that worker alone, read by anyone at any time.

#pragma once

#include "base/counter.h"
#include "dns/types.h"
#include "server/query_counts.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

namespace waypost::server {

using waypost::Counter;

// What became of a query for A or AAAA that may be the first step of a Pod's search walk: its name
// does not exist, and is below svc.ZONE.  Counted only while search completion is on.
enum class SearchOutcome : std::uint8_t {
  // Completed, with a name relative to a domain of the cluster, to another one, or as it was given.
  InCluster,
  InHostDomain,
  AsGiven,
  Nowhere,  // No step of the walk has addresses: NXDOMAIN, as without completion.
  Failed,   // A step could not be told: SERVFAIL.
  // Not completed, because of who asks or what for.
  UnknownAddress,
  HostNetwork,
  SharedAddress,
  OtherNamespace,  // The name is below another namespace than that of the Pod.
  OtherList,       // The Pod's list does not begin with its namespace.
  Dotted,          // The name has as many dots as ndots says: it was tried as it is.
  None,            // No such query; not counted.
};

// On cache lines of its own, so that workers do not share any.
struct alignas(64) Counters {
  QueryCounts queries;                    // Datagrams, and messages over TCP, received.
  Counter dnssec_ok;                      // Queries with DO.
  std::array<SizeCounts, 2> query_sizes;  // By Transport, as the next.
  std::array<SizeCounts, 2> response_sizes;
  DurationCounts durations;  // From receiving a query to sending its response.
  Counter dropped;           // Not answered: shorter than a header, too long, or responses.
  Counter truncated;         // Answers with TC.
  std::array<Counter, dns::RcodePlaces> rcodes;  // Answers by dns::rcode_place().
  Counter receive_drops;    // Datagrams that no socket buffer had room for.  Written by who
                            // asks Server::counters().
  Counter send_failures;    // Answers that the kernel did not take, or a client did not.
  Counter tcp_connections;  // Accepted and served.
  Counter tcp_refused;      // Closed at once, because the bound on connections was reached.
  Counter tcp_timeouts;     // Closed for idling, or for reading or writing too slowly.
  Counter transfers;        // AXFR and IXFR that were begun.
  // What the operator's rules decided (policy/policy.h).
  Counter access_allowed;  // By a rule.
  Counter access_blocked;
  Counter access_filtered;
  Counter access_dropped;
  Counter rate_limited;      // Queries above their client's limit.
  Counter buckets_evicted;   // Clients whose bucket had to make room for another one's.
  Counter rewrites;          // Names that were looked up as others.
  Counter rewrite_failures;  // Names that a rule could not make another one of: SERVFAIL.
  Counter hosts_answers;
  Counter template_answers;
  Counter template_failures;  // Answers that a template could not make: SERVFAIL.
  Counter families_filtered;  // Queries for addresses of a family that nobody can use.
  // Answers from the cache of other servers' answers: those that tell of an error or of no records,
  // and the others.
  Counter cache_denials;
  Counter cache_successes;
  Counter cache_misses;      // Queries that the cache had no fresh answer for.
  Counter handover_refused;  // Of these, those that the resolver had no room for.
  Counter abandoned;         // Answers whose client had gone meanwhile.
  std::array<Counter, std::to_underlying(SearchOutcome::None)> searches;  // By SearchOutcome.

  std::uint64_t cache_hits() const noexcept {
    return cache_denials.value() + cache_successes.value();
  }
  std::uint64_t udp_queries() const noexcept { return queries.total(Transport::Udp); }
  std::uint64_t tcp_queries() const noexcept { return queries.total(Transport::Tcp); }
};

// Of all workers: a Counter, or what a const function returns.
template <typename Member>
std::uint64_t sum(std::span<const Counters* const> workers, Member member) {
  std::uint64_t all = 0;
  for (const Counters* const worker : workers) {
    if constexpr (std::is_member_object_pointer_v<Member>) {
      all += (worker->*member).value();
    } else {
      all += (worker->*member)();
    }
  }
  return all;
}

}  // namespace waypost::server
