// How long to wait before trying again: exponential, capped, with jitter, so that many processes
// that lost the same server do not come back at the same moment.

#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace waypost::sources {

class Backoff {
 public:
  struct Bounds {
    std::chrono::milliseconds first{200};
    std::chrono::milliseconds cap{30'000};
  };

  Backoff(Bounds bounds, std::uint64_t seed) noexcept
      : bounds_(bounds), next_(bounds.first), random_(seed) {}

  // Half to all of a span that doubles with every call until it reaches the cap.
  std::chrono::milliseconds next();
  // `span` to twice as long, to spread what recurs.
  std::chrono::milliseconds spread(std::chrono::milliseconds span);
  // Something succeeded: begin anew.
  void reset() noexcept { next_ = bounds_.first; }

 private:
  Bounds bounds_;
  std::chrono::milliseconds next_;
  std::mt19937_64 random_;
};

}  // namespace waypost::sources
