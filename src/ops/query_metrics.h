// Queries and responses by type, size and duration, under CoreDNS' names.

#pragma once

#include "ops/metrics.h"
#include "server/counters.h"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace waypost::ops {

// How long clients waited, on all workers together.
struct QueryDurations {
  std::array<std::uint64_t, server::DurationCounts::BucketCount + 1> counts{};
  double sum_seconds = 0;

  // Borrows from this object.
  HistogramView view() const noexcept {
    return {counts, server::DurationCounts::FirstBound, sum_seconds};
  }
};
QueryDurations sum_durations(std::span<const server::Counters* const> workers);

// Sums over all workers.  `server` is server_label().
void collect_queries(Scrape& scrape, std::span<const server::Counters* const> workers,
                     std::string_view server);

}  // namespace waypost::ops
