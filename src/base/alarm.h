// Many deadlines of one thread, so that tests can turn the clock.
//
// An Alarm rings once, at or soon after its time, from the event loop and never from within set().
// Whoever owns it may set it anew, cancel it, or destroy it at any time, also while it rings.
//
// Not here: waiting inside a coroutine (base/timer.h).

#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>

namespace waypost {

class Alarm;

// One thread uses it.  Outlives its alarms.
class AlarmClock {
 public:
  using Time = std::chrono::steady_clock::time_point;

  AlarmClock() = default;
  virtual ~AlarmClock() = default;
  AlarmClock(const AlarmClock&) = delete;
  AlarmClock& operator=(const AlarmClock&) = delete;

  virtual Time now() const noexcept = 0;

 protected:
  // When the first alarm is to ring; nothing when none is set.
  std::optional<Time> earliest() const noexcept;
  // Rings what is due at `time`, in order of time; what is set meanwhile waits for the next call.
  void ring(Time time);
  // An alarm was set that is earlier than all others.
  virtual void on_earlier(Time time) = 0;

 private:
  friend class Alarm;
  using Entry = std::pair<Time, Alarm*>;

  std::set<Entry> alarms_;
};

class Alarm {
 public:
  using Time = AlarmClock::Time;

  Alarm(AlarmClock& clock, std::function<void()> on_ring)
      : clock_(clock), on_ring_(std::move(on_ring)) {}
  ~Alarm() { cancel(); }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  // Replaces the time that was set before.  A time in the past is due at once.
  void set(Time time);
  void cancel() noexcept;
  // True until it rings or is cancelled.
  bool is_set() const noexcept { return time_.has_value(); }

 private:
  friend class AlarmClock;

  AlarmClock& clock_;
  std::function<void()> on_ring_;
  std::optional<Time> time_;
};

// The machine's monotonic clock.
class SystemAlarmClock final : public AlarmClock {
 public:
  explicit SystemAlarmClock(const boost::asio::any_io_executor& executor);
  ~SystemAlarmClock() override;

  Time now() const noexcept override { return std::chrono::steady_clock::now(); }

 private:
  struct State;

  void on_earlier(Time time) override;
  void wait_until(Time time);

  std::shared_ptr<State> state_;
};

}  // namespace waypost
