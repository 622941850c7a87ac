// A client and the server it talks to, on one io_context.

#pragma once

#include "kube/api_client.h"
#include "support/coroutine.h"
#include "support/scripted_server.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace waypost::kube {

// What one request came to.
struct Fetched {
  unsigned status = 0;
  std::string body;
  std::string failure;  // Empty without one.
  ErrorKind kind = ErrorKind::InvalidInput;
};

inline boost::asio::awaitable<Fetched> fetch(ApiTransport& transport, std::string target,
                                             std::chrono::milliseconds timeout) {
  Fetched fetched;
  auto exchange = co_await transport.get(std::move(target), timeout);
  if (!exchange) {
    fetched.failure = exchange.error().message;
    fetched.kind = exchange.error().kind;
    co_return fetched;
  }
  fetched.status = (*exchange)->status();
  while (true) {
    const auto piece = co_await (*exchange)->read(timeout);
    if (!piece) {
      fetched.failure = piece.error().message;
      fetched.kind = piece.error().kind;
      co_return fetched;
    }
    if (piece->empty()) {
      co_return fetched;
    }
    fetched.body += *piece;
  }
}

// Clients of the servers that a test sets up on `context`.
class ClientFixture {
 public:
  // Throws when no client can be made.
  std::unique_ptr<ApiClient> client(ApiAccess access) {
    auto made = try_client(std::move(access));
    if (!made) {
      throw std::runtime_error(made.error().message);
    }
    return std::move(*made);
  }
  std::unique_ptr<ApiClient> client(const std::string& url) {
    return client(access_from_url(url).value());
  }
  Result<std::unique_ptr<ApiClient>> try_client(ApiAccess access) {
    ApiClientOptions options;
    options.user_agent = "waypost-test/1 (linux/amd64)";
    options.credentials.file_check_interval = file_check_interval;
    options.credentials.plugin_time_limit = std::chrono::seconds(10);
    options.credentials.warn = [this](const std::string& warning) { warnings.push_back(warning); };
    options.max_idle = max_idle;
    options.requests = requests;
    return ApiClient::make(context, std::move(access), std::move(options));
  }

  Fetched get(ApiTransport& transport, const std::string& target,
              std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
    return test::run(context, fetch(transport, target, timeout));
  }

  // Lets servers notice what happened to their connections.
  void settle() {
    context.restart();
    context.run_for(std::chrono::milliseconds(30));
  }

  boost::asio::io_context context;
  std::vector<std::string> warnings;
  std::chrono::milliseconds file_check_interval{0};
  std::chrono::milliseconds max_idle{60'000};
  std::shared_ptr<ApiRequests> requests;  // Where clients count, if anywhere.
};

}  // namespace waypost::kube
