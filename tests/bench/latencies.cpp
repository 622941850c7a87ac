#include "bench/latencies.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace waypost::bench {

void Latencies::add(std::chrono::nanoseconds duration) noexcept {
  const auto nanoseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
  ++counts_[bucket_of(std::min(nanoseconds, Longest))];
  ++count_;
}

double Latencies::percentile(double share) const noexcept {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < Size; ++bucket) {
    seen += counts_[bucket];
    if (seen > 0 && seen >= wanted) {
      return static_cast<double>(upper_end_of(bucket)) / 1000;
    }
  }
  return 0;
}

// Below Steps each value has a bucket of its own; above, the first StepBits + 1 bits decide.
std::size_t Latencies::bucket_of(std::uint64_t nanoseconds) noexcept {
  if (nanoseconds < Steps) {
    return nanoseconds;
  }
  const auto shift = static_cast<unsigned>(std::bit_width(nanoseconds)) - (StepBits + 1);
  return (std::size_t{shift} << StepBits) + (nanoseconds >> shift);
}

std::uint64_t Latencies::upper_end_of(std::size_t bucket) noexcept {
  if (bucket < 2 * Steps) {
    return bucket;
  }
  const auto shift = static_cast<unsigned>(bucket >> StepBits) - 1;
  const std::uint64_t leading = bucket - (std::size_t{shift} << StepBits);
  return ((leading + 1) << shift) - 1;
}

}  // namespace waypost::bench
