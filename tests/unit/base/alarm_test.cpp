#include "base/alarm.h"

#include "base/random.h"
#include "support/turned_clock.h"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <set>
#include <string>

namespace waypost {
namespace {

using namespace std::chrono_literals;

struct Fixture {
  boost::asio::io_context context;
  test::TurnedClock clock{context};
  std::string rung;

  std::unique_ptr<Alarm> make(char name) {
    return std::make_unique<Alarm>(clock, [this, name] { rung += name; });
  }
};

TEST_CASE_FIXTURE(Fixture, "alarms ring once, in the order of their times") {
  const auto a = make('a');
  const auto b = make('b');
  const auto c = make('c');
  a->set(clock.now() + 3s);
  b->set(clock.now() + 1s);
  c->set(clock.now() + 2s);
  clock.turn(999ms);
  CHECK(rung.empty());
  clock.turn(1ms);
  CHECK(rung == "b");
  CHECK(!b->is_set());
  CHECK(a->is_set());
  clock.turn(1h);
  CHECK(rung == "bca");
}

TEST_CASE_FIXTURE(Fixture, "an alarm that is set anew rings at its new time only") {
  const auto a = make('a');
  a->set(clock.now() + 1s);
  a->set(clock.now() + 2s);
  clock.turn(1s);
  CHECK(rung.empty());
  clock.turn(1h);
  CHECK(rung == "a");
}

TEST_CASE_FIXTURE(Fixture, "an alarm that is cancelled or destroyed does not ring") {
  const auto a = make('a');
  auto b = make('b');
  a->set(clock.now() + 1s);
  b->set(clock.now() + 1s);
  a->cancel();
  b.reset();
  clock.turn(1h);
  CHECK(rung.empty());
}

TEST_CASE_FIXTURE(Fixture, "what rings may destroy itself and others that are due") {
  auto other = make('x');
  std::unique_ptr<Alarm> alarm;
  alarm = std::make_unique<Alarm>(clock, [&] {
    alarm.reset();
    other.reset();
    rung += 'a';
  });
  alarm->set(clock.now() + 1s);
  other->set(clock.now() + 1s + 1ns);
  clock.turn(1h);
  CHECK(rung == "a");
}

TEST_CASE_FIXTURE(Fixture, "an alarm in the past is due at once, and not within set()") {
  const auto a = make('a');
  a->set(clock.now() - 1s);
  CHECK(rung.empty());
  clock.settle();
  CHECK(rung == "a");
}

TEST_CASE("the machine's clock rings alarms from the event loop") {
  boost::asio::io_context context;
  std::string rung;
  {
    SystemAlarmClock clock(context.get_executor());
    Alarm late(clock, [&] { rung += 'l'; });
    Alarm early(clock, [&] { rung += 'e'; });
    Alarm never(clock, [&] { rung += 'n'; });
    const auto start = clock.now();
    late.set(start + 20ms);
    never.set(start + 5ms);
    early.set(start + 10ms);
    never.cancel();
    CHECK(rung.empty());
    context.run();
    CHECK(rung == "el");
    CHECK(clock.now() >= start + 20ms);
    late.set(clock.now() + 1h);
  }
  context.restart();
  context.run();  // Nothing is left that it would wait for.
  CHECK(rung == "el");
}

TEST_CASE("the kernel's random numbers do not come twice") {
  SystemRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(random.next());
    CHECK(random.below(10) < 10);
  }
  CHECK(seen.size() == 1000);
}

}  // namespace
}  // namespace waypost
