#include "ops/departure.h"

#include <doctest/doctest.h>

namespace waypost::ops {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using enum Departure::State;

const SteadyTime Begin{seconds(1000)};

}  // namespace

TEST_CASE("who leaves stays until nobody has asked for as long as Quiet") {
  Departure departure(Begin, seconds(30), 500);
  CHECK(departure.look(Begin, 500) == Stays);
  CHECK(departure.look(Begin + milliseconds(1900), 501) == Stays);
  CHECK(departure.look(Begin + milliseconds(2100), 501) == Stays);
  CHECK(departure.look(Begin + milliseconds(3899), 501) == Stays);
  CHECK(departure.look(Begin + milliseconds(3900), 501) == IsQuiet);
}

TEST_CASE("who leaves and is asked all the time goes at the limit") {
  Departure departure(Begin, seconds(5), 0);
  std::uint64_t queries = 0;
  for (milliseconds passed{0}; passed < seconds(5); passed += milliseconds(50)) {
    CHECK(departure.look(Begin + passed, ++queries) == Stays);
  }
  CHECK(departure.look(Begin + seconds(5), ++queries) == HasToLeave);
}

TEST_CASE("without a limit to wait for, who leaves goes at once") {
  Departure departure(Begin, seconds(0), 7);
  CHECK(departure.look(Begin, 7) == HasToLeave);
}

}  // namespace waypost::ops
