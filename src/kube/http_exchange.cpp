#include "kube/http_exchange.h"

#include <utility>

namespace waypost::kube {

namespace asio = boost::asio;

using Clock = std::chrono::steady_clock;
using Failure = ApiStream::Failure;
using Progress = HttpResponse::Progress;

HttpExchange::HttpExchange(std::shared_ptr<ConnectionPool> pool, std::shared_ptr<ApiStream> stream,
                           std::string context)
    : pool_(std::move(pool)), stream_(std::move(stream)), context_(std::move(context)) {}

asio::awaitable<ApiStream::Outcome<void>> HttpExchange::begin(std::string request,
                                                              ApiStream::TimePoint deadline) {
  if (auto sent = co_await stream_->write(request, deadline); !sent) {
    co_return std::unexpected(std::move(sent.error()));
  }
  if (auto head = co_await advance(deadline); !head) {
    co_return std::unexpected(std::move(head.error()));
  }
  co_return ApiStream::Outcome<void>();
}

unsigned HttpExchange::status() const noexcept {
  return response_.status();
}

std::optional<std::chrono::seconds> HttpExchange::retry_after() const noexcept {
  return response_.retry_after();
}

asio::awaitable<ApiStream::Outcome<Progress>> HttpExchange::advance(ApiStream::TimePoint deadline) {
  while (true) {
    auto progress = response_.advance();
    if (!progress) {
      co_return std::unexpected(Failure{std::move(progress.error())});
    }
    if (*progress != Progress::NeedsInput) {
      co_return *progress;
    }
    auto size = co_await stream_->read(response_.free_space(), deadline);
    if (!size) {
      co_return std::unexpected(std::move(size.error()));
    }
    if (*size == 0) {
      response_.finish_input();
    } else {
      response_.add(*size);
    }
  }
}

asio::awaitable<Result<std::string_view>> HttpExchange::read(std::chrono::milliseconds timeout) {
  if (failure_) {
    co_return std::unexpected(*failure_);
  }
  if (!stream_) {
    co_return std::string_view();
  }
  auto progress = co_await advance(Clock::now() + timeout);
  if (!progress) {
    failure_ = with_context(std::move(progress.error().error), context_);
    stream_.reset();
    co_return std::unexpected(*failure_);
  }
  if (*progress == Progress::Done) {
    if (response_.can_reuse_connection()) {
      pool_->keep(std::move(stream_));
    }
    stream_.reset();
  }
  co_return response_.piece();
}

}  // namespace waypost::kube
