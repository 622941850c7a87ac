// How many answers with which rcode were sent in each of the last five minutes' seconds.

#pragma once

#include "base/timer.h"
#include "dns/types.h"
#include "server/counters.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace waypost::ops {

// Bounded: about 30 KiB.  One thread.
class RateHistory {
 public:
  static constexpr std::size_t Capacity = 300;  // Samples; one a second makes five minutes.

  // What all workers have counted so far.  The first sample is what the next one is compared with.
  void sample(SteadyTime now, std::span<const server::Counters* const> workers);

  // Since the start of the program.  Rcodes are given by their dns::rcode_place().
  std::uint64_t total(std::size_t rcode) const noexcept { return totals_[rcode]; }
  // Answers a second in each sample, oldest first.
  std::vector<double> rates(std::size_t rcode) const;
  // Over the newest samples that are no longer than `seconds` together, but at least one; 0 while
  // there is none.
  double mean_rate(std::size_t rcode, double seconds) const noexcept;
  // Answers with any rcode.
  std::vector<double> rates() const;
  double mean_rate(double seconds) const noexcept;
  std::size_t size() const noexcept { return size_; }
  // What all samples span.
  double seconds() const noexcept;

 private:
  struct Sample {
    float seconds = 0;  // Since the one before.
    std::array<std::uint32_t, dns::RcodePlaces> answers{};
  };

  // The sample that is `age` older than the newest one.
  const Sample& newest(std::size_t age) const noexcept {
    return samples_[(next_ + Capacity - 1 - age) % Capacity];
  }

  std::array<Sample, Capacity> samples_{};
  std::size_t next_ = 0;
  std::size_t size_ = 0;
  std::array<std::uint64_t, dns::RcodePlaces> totals_{};
  SteadyTime last_{};
  bool has_begun_ = false;
};

}  // namespace waypost::ops
