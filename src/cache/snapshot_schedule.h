// When the world is saved: soon after it is complete, then only if it changed, and not too often.
//
// Pure: it is told the time and what happens, and says when the next save is due.

#pragma once

#include <chrono>
#include <optional>

namespace waypost::cache {

class SnapshotSchedule {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  // The first save is due `settle` after the world is complete, for much changes in its first
  // moments; from the beginning of one save to the beginning of the next, failed or not, at least
  // `interval` passes.
  SnapshotSchedule(Duration settle, Duration interval) noexcept
      : settle_(settle), interval_(interval) {}

  // The world is complete for the first time; before that nothing is due, so that half a world
  // never replaces a whole one.
  void on_synced(Time now) noexcept;
  // Something is not as it was saved.
  void on_change() noexcept { is_changed_ = true; }

  // A save begins: changes from now on are for the next one.
  void on_started(Time now) noexcept;
  // It ended.  What a failed one was to save still is to be saved.
  void on_finished(bool saved) noexcept;

  // When the next save has to begin, perhaps in the past; nothing while one is under way or there
  // is nothing to save.
  std::optional<Time> due() const noexcept;

  // Whether the last chance to save should be taken: something is not in a file, or will not be
  // because the save that is under way is given up.
  bool has_unsaved() const noexcept { return is_synced_ && (is_changed_ || is_saving_); }

 private:
  Duration settle_;
  Duration interval_;
  Time not_before_{};
  bool is_synced_ = false;
  bool is_changed_ = false;
  bool is_saving_ = false;
};

}  // namespace waypost::cache
