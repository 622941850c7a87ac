// What the cache and the upstreams count, as metrics: names, units and words.
//
// As ops/metric_collectors.h: CoreDNS' names are used for what means the same there, those of
// before and after CoreDNS 1.11 alike, because dashboards and alerts look for both.

#pragma once

#include "ops/metrics.h"
#include "resolver/answer_cache.h"
#include "resolver/resolver.h"
#include "resolver/upstream_report.h"
#include "server/counters.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace waypost::ops {

void collect_resolver(Scrape& scrape, const resolver::AnswerCache& cache,
                      const resolver::ResolverCounters& counters);

// `server` is the label that CoreDNS gives a server block; `workers` count hits and misses.
void collect_cache(Scrape& scrape, const resolver::AnswerCache& cache,
                   const resolver::ResolverCounters& counters,
                   std::span<const server::Counters* const> workers, std::string_view server);

// `without_good` is Forwarder::without_good_upstream().
void collect_upstreams(Scrape& scrape, std::span<const resolver::UpstreamReport> upstreams,
                       std::uint64_t without_good);

}  // namespace waypost::ops
