// How long something took, in buckets for Prometheus.

#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>

namespace waypost {

// `Bounds` buckets, of which the first goes up to `FirstUs` microseconds and each other one up to
// twice as much as the one before, and one for what is longer than all.  One thread.
template <std::uint64_t FirstUs, std::size_t Bounds>
class DurationHistogram {
 public:
  static constexpr std::size_t BucketCount = Bounds;
  static constexpr double FirstBound = FirstUs / 1e6;  // Seconds.

  void observe(std::chrono::nanoseconds duration) noexcept {
    const double seconds = std::chrono::duration<double>(duration).count();
    std::size_t bucket = 0;
    for (double bound = FirstBound; bucket < BucketCount && seconds > bound; bound *= 2) {
      ++bucket;
    }
    ++counts_[bucket];
    sum_ += seconds;
  }
  void add(const DurationHistogram& other) noexcept {
    std::ranges::transform(counts_, other.counts_, counts_.begin(), std::plus());
    sum_ += other.sum_;
  }

  // Not cumulative; the last one is for what is longer than every bound.
  std::span<const std::uint64_t> counts() const noexcept { return counts_; }
  double sum_seconds() const noexcept { return sum_; }
  std::uint64_t count() const noexcept {
    return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
  }

 private:
  std::array<std::uint64_t, BucketCount + 1> counts_{};
  double sum_ = 0;
};

}  // namespace waypost
