#include "cache/snapshot_schedule.h"

namespace waypost::cache {

void SnapshotSchedule::on_synced(Time now) noexcept {
  if (!is_synced_) {
    is_synced_ = true;
    is_changed_ = true;
    not_before_ = now + settle_;
  }
}

void SnapshotSchedule::on_started(Time now) noexcept {
  is_saving_ = true;
  is_changed_ = false;
  not_before_ = now + interval_;
}

void SnapshotSchedule::on_finished(bool saved) noexcept {
  is_saving_ = false;
  is_changed_ = is_changed_ || !saved;
}

std::optional<SnapshotSchedule::Time> SnapshotSchedule::due() const noexcept {
  return is_synced_ && is_changed_ && !is_saving_ ? std::optional(not_before_) : std::nullopt;
}

}  // namespace waypost::cache
