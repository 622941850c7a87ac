// A clock for alarms that stands still until a test turns it.

#pragma once

#include "base/alarm.h"

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <functional>

namespace waypost::test {

class TurnedClock final : public AlarmClock {
 public:
  explicit TurnedClock(boost::asio::io_context& context) : context_(context) {}

  Time now() const noexcept override { return now_; }

  // Runs what can be run until `holds`, without time passing on this clock.  False when that takes
  // more than a few real seconds: then it does not hold.
  bool until(const std::function<bool()>& holds) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > limit) {
        return false;
      }
      step();
    }
    return true;
  }

  // Runs what can be run without time passing.  What comes over the loopback is there at once, but
  // for a thread of the kernel that was kept waiting.
  void settle() {
    for (int quiet = 0; quiet < 3;) {
      quiet = step() ? 0 : quiet + 1;
    }
  }

  // Lets time pass, alarm by alarm.
  void turn(std::chrono::milliseconds duration) {
    const Time end = now_ + duration;
    settle();
    for (auto next = earliest(); next && *next <= end; next = earliest()) {
      now_ = std::max(now_, *next);
      settle();
    }
    now_ = end;
    settle();
  }

 private:
  void on_earlier(Time) override {}

  bool step() {
    const auto due = earliest();
    const bool rings = due && *due <= now_;
    if (rings) {
      ring(now_);
    }
    context_.restart();
    return (rings ? context_.poll_one() : context_.run_one_for(std::chrono::milliseconds(1))) !=
               0 ||
           rings;
  }

  boost::asio::io_context& context_;
  Time now_{std::chrono::hours(1)};
};

}  // namespace waypost::test
