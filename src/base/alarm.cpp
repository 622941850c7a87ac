#include "base/alarm.h"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace waypost {

std::optional<AlarmClock::Time> AlarmClock::earliest() const noexcept {
  return alarms_.empty() ? std::nullopt : std::optional(alarms_.begin()->first);
}

void AlarmClock::ring(Time time) {
  const auto end = std::find_if(alarms_.begin(), alarms_.end(),
                                [time](const Entry& entry) { return entry.first > time; });
  // What rings may set others that are due at once: no more ring than were due before.
  for (auto due = std::distance(alarms_.begin(), end); due > 0 && !alarms_.empty(); --due) {
    if (alarms_.begin()->first > time) {
      return;
    }
    Alarm& alarm = *alarms_.begin()->second;
    alarms_.erase(alarms_.begin());
    alarm.time_.reset();
    // A copy, because the alarm may be destroyed by what it calls.
    const std::function<void()> on_ring = alarm.on_ring_;
    on_ring();
  }
}

void Alarm::set(Time time) {
  cancel();
  const auto first = clock_.earliest();
  time_ = time;
  clock_.alarms_.emplace(time, this);
  if (!first || time < *first) {
    clock_.on_earlier(time);
  }
}

void Alarm::cancel() noexcept {
  if (time_) {
    clock_.alarms_.erase({*time_, this});
    time_.reset();
  }
}

// ---------------------------------------------------------------------------------------------

struct SystemAlarmClock::State {
  State(const boost::asio::any_io_executor& executor, SystemAlarmClock* owner)
      : timer(executor), clock(owner) {}

  boost::asio::steady_timer timer;
  SystemAlarmClock* clock;  // Null once it is gone.
  std::optional<Time> waits_until;
};

SystemAlarmClock::SystemAlarmClock(const boost::asio::any_io_executor& executor)
    : state_(std::make_shared<State>(executor, this)) {}

SystemAlarmClock::~SystemAlarmClock() {
  state_->clock = nullptr;
  state_->timer.cancel();
}

void SystemAlarmClock::on_earlier(Time time) {
  // The timer is left alone when alarms are cancelled: it then wakes for nothing, once.
  if (!state_->waits_until || time < *state_->waits_until) {
    wait_until(time);
  }
}

void SystemAlarmClock::wait_until(Time time) {
  state_->waits_until = time;
  state_->timer.expires_at(time);
  state_->timer.async_wait([state = state_](const boost::system::error_code& code) {
    if (code || state->clock == nullptr) {
      return;  // Set anew, or over.
    }
    state->waits_until.reset();
    state->clock->ring(state->clock->now());
    if (state->clock == nullptr) {
      return;
    }
    const auto next = state->clock->earliest();
    if (next && (!state->waits_until || *next < *state->waits_until)) {
      state->clock->wait_until(*next);
    }
  });
}

}  // namespace waypost
