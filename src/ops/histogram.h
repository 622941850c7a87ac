// How long something took that the proxy does, in buckets for Prometheus.

#pragma once

#include "base/duration_histogram.h"

namespace waypost::ops {

// 10 µs, 20 µs, 40 µs… up to more than five minutes: one change of rules and the first sync of a
// large cluster are both seen well.
using Histogram = DurationHistogram<10, 26>;

}  // namespace waypost::ops
