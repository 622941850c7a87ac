#include "server/sampling.h"

#include <algorithm>

namespace waypost::server {

Sampling::Sampling(std::size_t capacity, std::uint64_t seed) noexcept
    : capacity_(capacity),
      left_(capacity != 0 ? 1 : 0),  // 0: the first one that is due is 2^64 things away.
      chance_(seed | 1U) {}

// True when it is time for a sample.
bool Sampling::advance() noexcept {
  ahead_ -= step_;
  passed_ += step_;
  if (ahead_ == 0) {
    return true;
  }
  if (narrow()) {
    missed_.add(passed_);
    choose_next();
  } else {
    step();
  }
  return false;
}

// After a sample, before which `used` places were.
void Sampling::adapt(std::uint64_t used) noexcept {
  const std::uint64_t sixteenth = capacity_ / 16;
  if (used == capacity_) {
    missed_.add(interval_);
    widen();
  } else if (used >= capacity_ / 2 && used % sixteenth == 0) {
    widen();
  }
  narrow();
  choose_next();
}

// One in twice as many: the ring fills beyond its half.
void Sampling::widen() noexcept {
  interval_ = std::min(2 * interval_, MaxInterval);
}

// One in half as many, for each time that the reader was done and there was less than a quarter of
// the ring for it.  True when that has changed anything.
bool Sampling::narrow() noexcept {
  const std::uint64_t drains = drains_.load(std::memory_order_relaxed);
  if (drains == drains_seen_) {
    return false;
  }
  const std::uint64_t times = std::min<std::uint64_t>(drains - drains_seen_, 31);
  const std::uint64_t written = written_.load(std::memory_order_relaxed);
  const bool has_few = written - written_then_ < times * capacity_ / 4;
  drains_seen_ = drains;
  written_then_ = written;
  if (!has_few || interval_ == 1) {
    return false;
  }
  interval_ = std::max(interval_ >> times, 1U);
  return true;
}

// Anything from 1 to twice the interval, so that no pattern in the traffic hides from it.
void Sampling::choose_next() noexcept {
  // xorshift64 (Marsaglia 2003): nobody gains anything from guessing it.
  chance_ ^= chance_ << 13U;
  chance_ ^= chance_ >> 7U;
  chance_ ^= chance_ << 17U;
  ahead_ = 1 + (chance_ >> 32U) % (2 * std::uint64_t{interval_} - 1);
  passed_ = 0;
  step();
}

void Sampling::step() noexcept {
  step_ = std::min(ahead_, MaxStep);
  left_ = step_;
}

}  // namespace waypost::server
