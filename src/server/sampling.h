// Which of the things that one thread sees another one gets to see, so that it is all of them while
// there are few, and never more than the other has room and time for.
//
// The one that writes counts down to the next sample, and does nothing else for those in between.
// How many these are follows the traffic: none at first, and twice as many each time that the ring
// fills.  Each sample says how many things it stands for; which one it is, chance decides.
//
// Not here: what a sample holds (server/query_sampler.h, server/query_log.h).

#pragma once

#include "base/counter.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace waypost::server {

// The places of a ring that its owner has the samples in.  One thread writes, another one reads;
// neither waits for the other, and nothing allocates.
class Sampling {
 public:
  static constexpr std::uint32_t MaxInterval = std::uint32_t{1} << 20;

  // `capacity` is that of the ring: 0, for which nothing is ever due, or at least 16.
  Sampling(std::size_t capacity, std::uint64_t seed) noexcept;
  Sampling(const Sampling&) = delete;
  Sampling& operator=(const Sampling&) = delete;

  // The writer, once for each thing: whether to take() it.
  bool is_due() noexcept { return --left_ == 0; }
  // After is_due() said so.  When it is time for a sample, `write(place, weight)` writes one that
  // stands for so many things, on average; looks now and then whether there is less to do than
  // there was.  A ring that is full loses the sample, which missed() counts.
  template <typename Write>
  void take(Write&& write) noexcept {
    if (!advance()) {
      return;
    }
    const std::uint64_t written = written_.load(std::memory_order_relaxed);
    const std::uint64_t used = written - read_.load(std::memory_order_acquire);
    if (used < capacity_) {
      write(static_cast<std::size_t>(written % capacity_), interval_);
      written_.store(written + 1, std::memory_order_release);
    }
    adapt(used);
  }

  // The reader: hands the places of what is there now, oldest first, to `use(place)`.
  template <typename Use>
  void drain(Use&& use) {
    const std::uint64_t end = written_.load(std::memory_order_acquire);
    for (std::uint64_t at = read_.load(std::memory_order_relaxed); at != end; ++at) {
      use(static_cast<std::size_t>(at % capacity_));
      read_.store(at + 1, std::memory_order_release);
    }
    drains_.store(drains_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  // Things that lost samples stood for, and those before a change of the load that none stands for.
  // Any thread.
  std::uint64_t missed() const noexcept { return missed_.value(); }

 private:
  // At most so many things are between two looks at whether the load has changed.
  static constexpr std::uint64_t MaxStep = 256;

  bool advance() noexcept;
  void adapt(std::uint64_t used) noexcept;
  void widen() noexcept;
  bool narrow() noexcept;
  void choose_next() noexcept;
  void step() noexcept;

  const std::size_t capacity_;
  std::uint64_t left_;        // Things until the next take().
  std::uint64_t step_ = 1;    // What `left_` began with.
  std::uint64_t ahead_ = 1;   // Things from the last take() to the next sample.
  std::uint64_t passed_ = 0;  // Those from the last sample to the last take().
  std::uint32_t interval_ = 1;
  std::uint64_t chance_;
  std::uint64_t drains_seen_ = 0;
  std::uint64_t written_then_ = 0;  // When drains_seen_ was seen.
  Counter missed_;
  // On lines of their own, because each has another writer.
  alignas(64) std::atomic<std::uint64_t> written_{0};
  alignas(64) std::atomic<std::uint64_t> read_{0};
  std::atomic<std::uint64_t> drains_{0};
};

}  // namespace waypost::server
