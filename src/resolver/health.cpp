#include "resolver/health.h"

#include <algorithm>
#include <cstddef>

namespace waypost::resolver {

Pause::Milliseconds Pause::next(Random& random) {
  const Milliseconds span = next_;
  next_ = std::min(next_ * 2, cap_);
  return span / 2 + Milliseconds(random.below(static_cast<std::size_t>(span.count() / 2 + 1)));
}

HealthState Health::state() const noexcept {
  if (is_looping_) {
    return HealthState::Looping;
  }
  return is_down_ ? HealthState::Down : HealthState::Good;
}

bool Health::note_bad(AlarmClock::Time now, Random& random) {
  if (is_down_ || ++strikes_ < Strikes) {
    return false;
  }
  is_down_ = true;
  probe_at_ = now + pause_.next(random);
  return true;
}

bool Health::note_good() noexcept {
  const bool was_down = is_down_;
  strikes_ = 0;
  is_down_ = false;
  pause_.reset();
  return was_down;
}

bool Health::note_probe(bool is_good, AlarmClock::Time now, Random& random) {
  if (!is_down_) {
    return false;
  }
  if (!is_good) {
    probe_at_ = now + pause_.next(random);
    return false;
  }
  strikes_ = 0;
  is_down_ = false;
  return true;
}

bool Health::set_looping(bool is_looping) noexcept {
  const bool is_new = is_looping_ != is_looping;
  is_looping_ = is_looping;
  return is_new;
}

}  // namespace waypost::resolver
