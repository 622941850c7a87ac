#include "cache/snapshot_schedule.h"

#include <doctest/doctest.h>

namespace waypost::cache {
namespace {

using std::chrono::seconds;

SnapshotSchedule::Time at(int second) {
  return SnapshotSchedule::Time(seconds(1000 + second));
}

}  // namespace

TEST_CASE("nothing is due before the world is complete, whatever changes") {
  SnapshotSchedule schedule(seconds(2), seconds(30));
  CHECK(schedule.due() == std::nullopt);
  schedule.on_change();
  CHECK(schedule.due() == std::nullopt);
  CHECK_FALSE(schedule.has_unsaved());
}

TEST_CASE("the first save is due a moment after the world is complete") {
  SnapshotSchedule schedule(seconds(2), seconds(30));
  schedule.on_synced(at(0));
  CHECK(schedule.due() == at(2));
  schedule.on_synced(at(1));
  schedule.on_change();
  CHECK(schedule.due() == at(2));
  CHECK(schedule.has_unsaved());
}

TEST_CASE("a further save is due for a change only, and an interval after the one before") {
  SnapshotSchedule schedule(seconds(2), seconds(30));
  schedule.on_synced(at(0));
  schedule.on_started(at(2));
  CHECK(schedule.due() == std::nullopt);
  schedule.on_finished(true);
  CHECK(schedule.due() == std::nullopt);
  CHECK_FALSE(schedule.has_unsaved());
  schedule.on_change();
  CHECK(schedule.due() == at(32));
  schedule.on_started(at(50));  // Late.
  schedule.on_finished(true);
  schedule.on_change();
  CHECK(schedule.due() == at(80));
}

TEST_CASE("a change during a save is for the next one") {
  SnapshotSchedule schedule(seconds(2), seconds(30));
  schedule.on_synced(at(0));
  schedule.on_started(at(2));
  schedule.on_change();
  CHECK(schedule.due() == std::nullopt);
  CHECK(schedule.has_unsaved());
  schedule.on_finished(true);
  CHECK(schedule.due() == at(32));
}

TEST_CASE("a failed save is tried again after an interval, without a change") {
  SnapshotSchedule schedule(seconds(2), seconds(30));
  schedule.on_synced(at(0));
  schedule.on_started(at(2));
  CHECK(schedule.has_unsaved());  // As long as it is not known to be saved.
  schedule.on_finished(false);
  CHECK(schedule.has_unsaved());
  CHECK(schedule.due() == at(32));
}

}  // namespace waypost::cache
