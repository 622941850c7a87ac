#include "base/log_limit.h"

#include <algorithm>
#include <utility>

namespace waypost::log {

Limit::Verdict Limit::ask(const std::source_location& place, Time now) {
  const std::scoped_lock lock(mutex_);
  Bucket& bucket = places_[Place{place.file_name(), place.line()}];
  // Each line puts the time when the bucket is full off by an interval; it is empty when that lies
  // a whole burst ahead.
  const Time after = std::max(bucket.full_at, now) + Interval;
  const auto room = Burst * Interval - (after - now);
  if (room < room.zero()) {
    ++bucket.left_out;
    return {};
  }
  bucket.has_told = bucket.has_told && bucket.full_at > now;
  bucket.full_at = after;
  const bool is_last = room < Interval && !std::exchange(bucket.has_told, room < Interval);
  return {.is_admitted = true, .is_last = is_last, .left_out = std::exchange(bucket.left_out, 0)};
}

}  // namespace waypost::log
