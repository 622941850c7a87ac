// The tables of waypost-dns' overview, each from plain values.

#pragma once

#include "base/timer.h"
#include "ops/metrics.h"
#include "ops/page/html.h"
#include "ops/page/rate_history.h"
#include "resolver/upstream_report.h"
#include "sources/kind_status.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace waypost::ops {

// What an API server told, kind by kind.  `now` is on the clock of the times in `kinds`.
Html kinds_table(std::span<const sources::KindStatus* const> kinds, SteadyTime now);

// Answers a second by rcode, with what they were in the last five minutes.
Html rates_table(const RateHistory& history);

// How long something took, from the first bucket with anything in it to the last.  `nothing` is
// said when there is none.
Html waits_table(const HistogramView& waits, std::string_view title, std::string_view nothing);

// How long upstreams took to answer, all of them together.
Html latency_table(std::span<const resolver::UpstreamReport> upstreams);

// What is wrong with manifests, as lines: the first of them.
inline constexpr std::size_t MaxProblemRows = 20;
Html problems_table(std::span<const std::string> problems);

inline constexpr std::size_t MaxUpstreamRows = 100;
Html upstreams_table(std::span<const resolver::UpstreamReport> upstreams);

}  // namespace waypost::ops
