// A result that is still to come: coroutines of one thread wait for it, each until its own
// deadline.

#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace waypost {

// Held by a shared_ptr by whoever completes it and whoever waits for it: either may go first.  Used
// on one thread only.
template <typename T>
class Pending {
 public:
  explicit Pending(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

  bool is_complete() const noexcept { return value_.has_value(); }

  // Wakes everyone who waits.  Later calls change nothing.
  void complete(T value) {
    if (value_) {
      return;
    }
    value_ = std::move(value);
    for (const auto& waiter : std::exchange(waiters_, {})) {
      if (const auto timer = waiter.lock()) {
        timer->cancel();
      }
    }
  }

  // Returns the result, which lives as long as `pending`, or nullptr when it did not come before
  // `deadline`.
  static boost::asio::awaitable<const T*> wait(std::shared_ptr<Pending> pending,
                                               std::chrono::steady_clock::time_point deadline) {
    if (!pending->value_) {
      const auto timer = std::make_shared<boost::asio::steady_timer>(pending->executor_, deadline);
      std::erase_if(pending->waiters_, [](const auto& waiter) { return waiter.expired(); });
      pending->waiters_.push_back(timer);
      co_await timer->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    co_return pending->value_ ? &*pending->value_ : nullptr;
  }

 private:
  boost::asio::any_io_executor executor_;
  std::optional<T> value_;
  std::vector<std::weak_ptr<boost::asio::steady_timer>> waiters_;
};

}  // namespace waypost
