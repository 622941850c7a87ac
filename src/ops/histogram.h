// How long something took, in buckets for Prometheus.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

namespace waypost::ops {

// Buckets of 10 µs, 20 µs, 40 µs… up to more than five minutes: one change of rules and the first
// sync of a large cluster are both seen well.  One thread.
class Histogram {
 public:
  static constexpr std::size_t BucketCount = 26;
  static constexpr double FirstBound = 1e-5;  // Seconds.

  void observe(std::chrono::nanoseconds duration) noexcept {
    const double seconds = std::chrono::duration<double>(duration).count();
    std::size_t bucket = 0;
    for (double bound = FirstBound; bucket < BucketCount && seconds > bound; bound *= 2) {
      ++bucket;
    }
    ++counts_[bucket];
    sum_ += seconds;
  }

  // Not cumulative; the last one is for what is longer than every bound.
  std::span<const std::uint64_t> counts() const noexcept { return counts_; }
  double sum_seconds() const noexcept { return sum_; }
  std::uint64_t count() const noexcept {
    std::uint64_t all = 0;
    for (const std::uint64_t one : counts_) {
      all += one;
    }
    return all;
  }

 private:
  std::array<std::uint64_t, BucketCount + 1> counts_{};
  double sum_ = 0;
};

}  // namespace waypost::ops
