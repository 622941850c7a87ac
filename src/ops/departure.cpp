#include "ops/departure.h"

namespace waypost::ops {

Departure::State Departure::look(SteadyTime now, std::uint64_t queries) noexcept {
  if (queries != queries_) {
    queries_ = queries;
    last_query_ = now;
  }
  if (now - last_query_ >= Quiet) {
    return State::IsQuiet;
  }
  return now >= end_ ? State::HasToLeave : State::Stays;
}

}  // namespace waypost::ops
