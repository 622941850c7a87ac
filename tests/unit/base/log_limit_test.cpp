#include "base/log_limit.h"

#include <doctest/doctest.h>

#include <vector>

namespace waypost::log {
namespace {

using std::chrono::seconds;

// Two places of one file.
const std::source_location Here = std::source_location::current();
const std::source_location There = std::source_location::current();

const Limit::Time Start{std::chrono::hours(1)};

// So many attempts at one time, and how many of them were admitted.
unsigned admitted(Limit& limit, unsigned attempts, Limit::Time now,
                  const std::source_location& place = Here) {
  unsigned count = 0;
  for (unsigned i = 0; i < attempts; ++i) {
    count += limit.ask(place, now).is_admitted ? 1 : 0;
  }
  return count;
}

}  // namespace

TEST_CASE("a place writes a burst, and then a line for each interval") {
  Limit limit;
  CHECK(admitted(limit, 5000, Start) == Limit::Burst);
  CHECK(admitted(limit, 5000, Start + seconds(4)) == 0);
  CHECK(admitted(limit, 5000, Start + Limit::Interval) == 1);
  unsigned in_an_hour = 0;
  for (int i = 1; i <= 3600; ++i) {
    in_an_hour += admitted(limit, 10, Start + Limit::Interval + seconds(i));
  }
  CHECK(in_an_hour == 720);
}

TEST_CASE("after silence there is a whole burst again, and no more") {
  Limit limit;
  admitted(limit, 1000, Start);
  CHECK(admitted(limit, 1000, Start + 10 * Limit::Interval) == 10);
  CHECK(admitted(limit, 1000, Start + std::chrono::hours(24)) == Limit::Burst);
}

TEST_CASE("places do not take each other's room") {
  Limit limit;
  admitted(limit, 1000, Start);
  CHECK(admitted(limit, 1000, Start, There) == Limit::Burst);
}

TEST_CASE("the last line before some are left out knows it, and the next one how many they were") {
  Limit limit;
  std::vector<unsigned> last;
  for (unsigned i = 1; i <= 250; ++i) {
    if (limit.ask(Here, Start).is_last) {
      last.push_back(i);
    }
  }
  CHECK(last == std::vector<unsigned>{Limit::Burst});
  const Limit::Verdict next = limit.ask(Here, Start + Limit::Interval);
  CHECK(next.is_admitted);
  CHECK(next.left_out == 150);
  CHECK_FALSE(next.is_last);  // It was said already.
  CHECK(limit.ask(Here, Start + 2 * Limit::Interval).left_out == 0);

  // After a long silence it is said anew.
  const Limit::Time later = Start + std::chrono::hours(1);
  admitted(limit, Limit::Burst - 1, later);
  CHECK(limit.ask(Here, later).is_last);
}

}  // namespace waypost::log
