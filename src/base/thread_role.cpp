#include "base/thread_role.h"

#include <pthread.h>
#include <sched.h>

namespace waypost {
namespace {

// Of the calling thread alone.
void change_policy(int from, int to) noexcept {
  if (sched_getscheduler(0) == from) {
    const sched_param usual{};
    [[maybe_unused]] const int changed = sched_setscheduler(0, to, &usual);
  }
}

}  // namespace

void answer_first(const std::string& name) noexcept {
  pthread_setname_np(pthread_self(), name.c_str());
  change_policy(SCHED_BATCH, SCHED_OTHER);
}

void yield_to_others() noexcept {
  change_policy(SCHED_OTHER, SCHED_BATCH);
}

}  // namespace waypost
