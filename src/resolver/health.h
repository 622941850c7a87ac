// Whether an upstream is worth asking.
//
// Three bad results without a good one between them put it down, for a second at first; then it is
// probed.  A probe that fails doubles the pause, to a minute at most.  A good answer to a probe
// puts it up again; only one to a real question lets the pause begin at a second again, so that a
// server that answers nothing but probes is left alone for longer and longer.

#pragma once

#include "base/alarm.h"
#include "base/random.h"
#include "resolver/upstream_report.h"

#include <chrono>

namespace waypost::resolver {

// A span that doubles with each use until it reaches the cap; half to all of it is given out, so
// that many processes that lost the same server do not come back at the same moment.
class Pause {
 public:
  using Milliseconds = std::chrono::milliseconds;

  Pause(Milliseconds first, Milliseconds cap) noexcept : first_(first), cap_(cap), next_(first) {}

  Milliseconds next(Random& random);
  void reset() noexcept { next_ = first_; }

 private:
  Milliseconds first_;
  Milliseconds cap_;
  Milliseconds next_;
};

// One thread.
class Health {
 public:
  static constexpr int Strikes = 3;

  HealthState state() const noexcept;

  // The functions that change it return true when it was good before and is down now, or the other
  // way round.

  // Nothing came, no connection could be made, or another upstream could answer what this one could
  // not.
  bool note_bad(AlarmClock::Time now, Random& random);
  // It answered a question.
  bool note_good() noexcept;
  bool note_probe(bool is_good, AlarmClock::Time now, Random& random);
  // Returns true when that is new.
  bool set_looping(bool is_looping) noexcept;

  // When it is to be probed.  REQUIRES: it is down, looping or not.
  AlarmClock::Time probe_at() const noexcept { return probe_at_; }
  bool is_down() const noexcept { return is_down_; }

 private:
  int strikes_ = 0;
  bool is_down_ = false;
  bool is_looping_ = false;
  AlarmClock::Time probe_at_;
  Pause pause_{std::chrono::seconds(1), std::chrono::minutes(1)};
};

}  // namespace waypost::resolver
