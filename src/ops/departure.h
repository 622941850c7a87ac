// When a program that is told to end may do so without a client that notices.
//
// Clients find a server through lists that others keep: a Service's rules on every node, a load
// balancer's targets.  These learn that it is going some time after it was told, so it goes on
// answering until nobody has asked for a while, at the latest until a limit.
//
// Not here: signals and sockets (ops/life_cycle.h).

#pragma once

#include "base/timer.h"

#include <chrono>
#include <cstdint>

namespace waypost::ops {

// A plain value; time and counts are given to it.
class Departure {
 public:
  // So long without a query means that nobody comes any more: twice as long as stub resolvers pause
  // between two of the same (glibc's and musl's resend after a second or more).
  static constexpr std::chrono::milliseconds Quiet{2000};

  enum class State : std::uint8_t {
    Stays,
    IsQuiet,     // Nobody has asked for as long as Quiet.
    HasToLeave,  // The limit is reached; queries still came.
  };

  // Begins at `now`, when `queries` had come in all.  `limit` 0: it has to leave at once.
  Departure(SteadyTime now, std::chrono::milliseconds limit, std::uint64_t queries) noexcept
      : end_(now + limit), last_query_(now), queries_(queries) {}

  // To be asked a few times a second.  `queries` never falls.
  State look(SteadyTime now, std::uint64_t queries) noexcept;

 private:
  SteadyTime end_;
  SteadyTime last_query_;  // As far as seen here.
  std::uint64_t queries_;
};

}  // namespace waypost::ops
