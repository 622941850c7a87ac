// Runs a coroutine to its end inside a test.

#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

namespace waypost::test {

// Returns what `work` returns, after running `context` for as long as that takes.  Throws what
// `work` throws, and when it is not done in time.
template <typename T>
T run(boost::asio::io_context& context, boost::asio::awaitable<T> work,
      std::chrono::seconds limit = std::chrono::seconds(30)) {
  std::optional<T> result;
  std::exception_ptr exception;
  bool is_done = false;
  boost::asio::co_spawn(context, std::move(work), [&](std::exception_ptr thrown, T value) {
    exception = std::move(thrown);
    result = std::move(value);
    is_done = true;
  });
  const auto deadline = std::chrono::steady_clock::now() + limit;
  context.restart();
  while (!is_done && context.run_one_until(deadline) > 0) {
  }
  if (!is_done) {
    context.stop();
    throw std::runtime_error("the coroutine is not done in time");
  }
  if (exception) {
    std::rethrow_exception(exception);
  }
  return std::move(*result);
}

}  // namespace waypost::test
