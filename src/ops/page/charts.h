// Small drawings in SVG, made on the server so that the page needs no script for them.

#pragma once

#include "ops/page/html.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace waypost::ops {

// A line through `values`, oldest first, from 0 to the largest one; at most MaxSparkPoints points,
// each the mean of its neighbors.  Values that are negative or no numbers count as 0.  `label` is
// read to those who cannot see it.
inline constexpr std::size_t MaxSparkPoints = 100;
Html sparkline(std::span<const double> values, std::string_view label);

// From the first to behind the last of a histogram's buckets with anything in it; equal when there
// is none.
std::pair<std::size_t, std::size_t> used_range(std::span<const std::uint64_t> buckets) noexcept;

// A bar that is `share` (0 to 1) of its cell wide.  It says what the number beside it says, and is
// not read aloud.
Html bar(double share);

}  // namespace waypost::ops
