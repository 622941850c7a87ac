#include "base/rcu.h"

#include <urcu-qsbr.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WAYPOST_TSAN 1
#endif
#endif

#ifdef WAYPOST_TSAN
extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

namespace waypost::rcu {
namespace {

// liburcu orders readers and writer with fences that ThreadSanitizer cannot see.  These two say the
// same to it: what a reader did before it became quiescent happens before what follows
// synchronize().
#ifdef WAYPOST_TSAN
char grace_period;
void reader_leaves() noexcept {
  __tsan_release(&grace_period);
}
void writer_proceeds() noexcept {
  __tsan_acquire(&grace_period);
}
#else
void reader_leaves() noexcept {}
void writer_proceeds() noexcept {}
#endif

}  // namespace

ReaderThread::ReaderThread() noexcept {
  urcu_qsbr_register_thread();
  urcu_qsbr_thread_offline();
}
ReaderThread::~ReaderThread() {
  reader_leaves();
  urcu_qsbr_unregister_thread();
}

ReadSection::ReadSection() noexcept {
  urcu_qsbr_thread_online();
}
ReadSection::~ReadSection() {
  reader_leaves();
  urcu_qsbr_thread_offline();
}

void quiescent() noexcept {
  reader_leaves();
  urcu_qsbr_quiescent_state();
}

void synchronize() noexcept {
  urcu_qsbr_synchronize_rcu();
  writer_proceeds();
}

void RetireList::add(void* object, void (*destroy)(void*), std::size_t bytes) {
  entries_.push_back({object, destroy});
  bytes_ += bytes + sizeof(Entry);
  if (bytes_ > max_bytes_) {
    reclaim();
  }
}

void RetireList::reclaim() {
  if (entries_.empty()) {
    return;
  }
  synchronize();
  for (const Entry& entry : entries_) {
    entry.destroy(entry.object);
  }
  entries_.clear();
  bytes_ = 0;
}

}  // namespace waypost::rcu
