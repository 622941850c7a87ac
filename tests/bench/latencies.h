// How long answers took: a histogram of bounded size, with steps of less than one percent.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace waypost::bench {

class Latencies {
 public:
  // Negative durations count as none; those above a minute as a minute.
  void add(std::chrono::nanoseconds duration) noexcept;
  std::uint64_t count() const noexcept { return count_; }
  // What a share of the durations, from 0 to 1, do not exceed, in microseconds.  0 when there is
  // none.
  double percentile(double share) const noexcept;

 private:
  static constexpr unsigned StepBits = 7;  // Steps in each power of two, as a power of two.
  static constexpr std::size_t Steps = std::size_t{1} << StepBits;
  static constexpr std::uint64_t Longest = 60'000'000'000;
  static constexpr std::size_t Size = (36 - StepBits + 1) * Steps;  // Longest has 36 bits.

  static std::size_t bucket_of(std::uint64_t nanoseconds) noexcept;
  static std::uint64_t upper_end_of(std::size_t bucket) noexcept;

  std::array<std::uint64_t, Size> counts_{};
  std::uint64_t count_ = 0;
};

}  // namespace waypost::bench
