// Runs one coroutine to its end, for what a program does before or instead of its loop.

#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace waypost::ops {

// Returns what `work` returns, and throws what it throws.  `context` has nothing else to do than
// what `work` needs, and can be run again afterwards.
template <typename T>
T run_to_end(boost::asio::io_context& context, boost::asio::awaitable<T> work) {
  std::optional<T> result;
  boost::asio::co_spawn(context, std::move(work), [&](const std::exception_ptr& failed, T done) {
    if (failed) {
      std::rethrow_exception(failed);
    }
    result.emplace(std::move(done));
  });
  while (!result && context.run_one() != 0) {
  }
  context.restart();
  return std::move(*result);
}

}  // namespace waypost::ops
