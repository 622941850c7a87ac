// One request and its response on a connection: the ApiExchange of a running program.

#pragma once

#include "base/error.h"
#include "kube/api_stream.h"
#include "kube/api_transport.h"
#include "kube/connection_pool.h"
#include "kube/http_response.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace waypost::kube {

// Its connection goes back to the pool at the body's end, if the server keeps it open.
class HttpExchange : public ApiExchange {
 public:
  // `context` is put in front of every message of read().
  HttpExchange(std::shared_ptr<ConnectionPool> pool, std::shared_ptr<ApiStream> stream,
               std::string context);

  // Sends `request` and waits for the response's head, once, before anything else.
  boost::asio::awaitable<ApiStream::Outcome<void>> begin(std::string request,
                                                         ApiStream::TimePoint deadline);

  unsigned status() const noexcept override;
  std::optional<std::chrono::seconds> retry_after() const noexcept override;
  boost::asio::awaitable<Result<std::string_view>> read(std::chrono::milliseconds timeout) override;

  // False when the server has not answered at all.
  bool has_started() const noexcept { return response_.has_started(); }
  // Where a redirect leads to, empty without one.
  std::string location() const { return response_.location(); }
  // Keeps `lease` until its own end.
  void hold(ConnectionPool::Lease lease) { lease_.emplace(std::move(lease)); }

 private:
  // Reads until the response has something to tell.
  boost::asio::awaitable<ApiStream::Outcome<HttpResponse::Progress>> advance(
      ApiStream::TimePoint deadline);

  std::shared_ptr<ConnectionPool> pool_;
  std::optional<ConnectionPool::Lease> lease_;
  std::shared_ptr<ApiStream> stream_;  // Nothing after the body's end or a failure.
  std::string context_;
  HttpResponse response_;
  std::optional<Error> failure_;
};

}  // namespace waypost::kube
