#include "base/thread_role.h"

#include <doctest/doctest.h>
#include <pthread.h>
#include <sched.h>

#include <array>
#include <string>
#include <thread>

namespace waypost {
namespace {

std::string name_of_this_thread() {
  std::array<char, 16> name{};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  return name.data();
}

TEST_CASE("a thread that yields keeps to that alone, and what it starts can answer first") {
  const int policy_before = sched_getscheduler(0);
  REQUIRE(policy_before == SCHED_OTHER);
  std::thread background([] {
    yield_to_others();
    CHECK(sched_getscheduler(0) == SCHED_BATCH);
    std::thread inherits([] { CHECK(sched_getscheduler(0) == SCHED_BATCH); });
    inherits.join();
    std::thread answers([] {
      answer_first("worker-63");
      CHECK(sched_getscheduler(0) == SCHED_OTHER);
      CHECK(name_of_this_thread() == "worker-63");
    });
    answers.join();
    CHECK(sched_getscheduler(0) == SCHED_BATCH);
  });
  background.join();
  CHECK(sched_getscheduler(0) == policy_before);
}

TEST_CASE("a policy that somebody else has chosen stays") {
  std::thread idle([] {
    const sched_param usual{};
    const bool is_idle = sched_setscheduler(0, SCHED_IDLE, &usual) == 0;
    CHECK(is_idle);
    if (!is_idle) {
      return;
    }
    yield_to_others();
    CHECK(sched_getscheduler(0) == SCHED_IDLE);
    answer_first("worker-0");
    CHECK(sched_getscheduler(0) == SCHED_IDLE);
  });
  idle.join();
}

}  // namespace
}  // namespace waypost
