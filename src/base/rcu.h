// Read-copy-update: readers that never wait, writers that free what nobody can see any more.
//
// The door to liburcu's quiescent-state flavor.  A reader thread registers once (ReaderThread),
// opens a ReadSection around its work, and may call quiescent() between two pieces of it.  Inside a
// section every pointer loaded from an RCU-published place stays valid.  The one writer unlinks an
// object first and hands it to a RetireList, which frees it after a grace period.
//
// Not here: the tables that are read this way (records/name_table.h, zones/).

#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace waypost::rcu {

// Registers the calling thread as a reader for the object's lifetime; starts outside any section.
// Must be destroyed on the same thread.
class ReaderThread {
 public:
  ReaderThread() noexcept;
  ~ReaderThread();
  ReaderThread(const ReaderThread&) = delete;
  ReaderThread& operator=(const ReaderThread&) = delete;
};

// Between construction and destruction, on a registered thread, loaded pointers stay valid.  A
// thread that waits for events is outside of any section, so that a grace period never waits for
// traffic.
class ReadSection {
 public:
  ReadSection() noexcept;
  ~ReadSection();
  ReadSection(const ReadSection&) = delete;
  ReadSection& operator=(const ReadSection&) = delete;
};

// Inside a section: pointers loaded so far are no longer used.  Costs a store and a fence; call it
// once per batch.
void quiescent() noexcept;

// Waits until every section that is open now has ended or passed quiescent().  Writer side; the
// caller must not itself be inside a section.
void synchronize() noexcept;

// Puts `next` where readers load from, and into `owner`; frees what stood there once no reader can
// see it.  As synchronize().
template <typename T>
void replace(std::atomic<const T*>& place, std::unique_ptr<const T>& owner,
             std::type_identity_t<std::unique_ptr<const T>> next) {
  place.store(next.get(), std::memory_order_release);
  const std::unique_ptr<const T> old = std::exchange(owner, std::move(next));
  synchronize();
}

// Objects that are unlinked but perhaps still seen.  One thread uses a list.  Bounded: reclaim()
// runs by itself once `max_bytes` are waiting.
class RetireList {
 public:
  explicit RetireList(std::size_t max_bytes = std::size_t{1} << 20) noexcept
      : max_bytes_(max_bytes) {}
  // Waits for a grace period and frees the rest.
  ~RetireList() { reclaim(); }
  RetireList(const RetireList&) = delete;
  RetireList& operator=(const RetireList&) = delete;

  // Takes over `object`, which readers can no longer find; `bytes` is about what it occupies.
  template <typename T, typename Deleter>
  void retire(std::unique_ptr<T, Deleter> object, std::size_t bytes) {
    static_assert(std::is_empty_v<Deleter>, "a deleter with state would be lost");
    if (object == nullptr) {
      return;
    }
    add(
        const_cast<void*>(static_cast<const void*>(object.release())),
        [](void* pointer) { Deleter()(static_cast<T*>(pointer)); }, bytes);
  }

  // Waits for one grace period and frees everything; nothing to do when the list is empty.
  void reclaim();

  std::size_t waiting_bytes() const noexcept { return bytes_; }

 private:
  struct Entry {
    void* object;
    void (*destroy)(void*);
  };
  void add(void* object, void (*destroy)(void*), std::size_t bytes);

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace waypost::rcu
