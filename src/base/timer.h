// Time for coroutines on the control thread, so that tests can turn the clock.
//
// Not here: clocks of the packet path, which reads none.

#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>

namespace waypost {

using SteadyTime = std::chrono::steady_clock::time_point;

// One thread uses a timer: that of its executor.
class Timer {
 public:
  virtual ~Timer() = default;

  virtual SteadyTime now() const noexcept = 0;
  // Returns after `duration`, or earlier when the coroutine is cancelled.
  virtual boost::asio::awaitable<void> wait(std::chrono::milliseconds duration) = 0;
};

// The machine's monotonic clock.
class SystemTimer final : public Timer {
 public:
  explicit SystemTimer(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

  SteadyTime now() const noexcept override { return std::chrono::steady_clock::now(); }
  boost::asio::awaitable<void> wait(std::chrono::milliseconds duration) override;

 private:
  boost::asio::any_io_executor executor_;
};

}  // namespace waypost
