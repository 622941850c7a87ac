// A number that one thread counts up and any other may read at any time.

#pragma once

#include <atomic>
#include <cstdint>

namespace waypost {

// One writer: an increment is a plain load, add and store, never a locked instruction.
class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace waypost
