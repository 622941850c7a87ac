#include "kube/api_client.h"

#include "kube/api_stream.h"
#include "kube/connection_pool.h"
#include "kube/http_exchange.h"

#include <sys/utsname.h>

#include <algorithm>
#include <utility>

namespace waypost::kube {
namespace {

namespace asio = boost::asio;

using Clock = std::chrono::steady_clock;
using Failure = ApiStream::Failure;
using TimePoint = ApiStream::TimePoint;
using Lease = ConnectionPool::Lease;
using Exchange = std::unique_ptr<HttpExchange>;

constexpr unsigned NotModified = 304;
constexpr unsigned Unauthorized = 401;
constexpr std::size_t MaxTargetInMessage = 120;

bool is_usable_target(std::string_view target) noexcept {
  return target.starts_with('/') &&
         std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_redirect(unsigned status) noexcept {
  return status / 100 == 3 && status != NotModified;
}

bool is_equal(const Presented& a, const Presented& b) noexcept {
  return a.authorization == b.authorization && a.tls == b.tls;
}

// Go's name of this machine's architecture, where it has another one than the kernel.
std::string_view architecture(std::string_view machine) noexcept {
  if (machine == "x86_64") {
    return "amd64";
  }
  return machine == "aarch64" ? "arm64" : machine;
}

}  // namespace

std::string user_agent(std::string_view program, std::string_view version) {
  utsname system{};
  ::uname(&system);
  std::string text(program);
  text.append("/").append(version).append(" (linux/");
  return text.append(architecture(system.machine)).append(")");
}

struct ApiClient::State {
  using Attempt = ApiStream::Outcome<Exchange>;

  State(ApiAccess the_access, ApiCredentials the_credentials, ApiClientOptions the_options)
      : access(std::move(the_access)),
        credentials(std::move(the_credentials)),
        options(std::move(the_options)),
        pool(std::make_shared<ConnectionPool>(MaxExchanges, MaxIdleConnections, options.max_idle)) {
  }

  // Makes the request, on a kept connection if there is one.
  asio::awaitable<Attempt> attempt(const std::string& target, const Presented& presented,
                                   TimePoint deadline);
  asio::awaitable<Attempt> attempt_on_new(const std::string& target, const Presented& presented,
                                          TimePoint deadline);
  // Makes the request, and once more with other credentials when the first ones were refused.
  asio::awaitable<Attempt> attempt_with_credentials(const std::string& target, TimePoint deadline);

  Exchange exchange_on(std::shared_ptr<ApiStream> stream, std::string_view target) const;
  std::string request_for(std::string_view target, const Presented& presented) const;
  // "GET /api/v1/pods from https://10.96.0.1:443": what every message begins with.
  std::string context_of(std::string_view target) const;

  ApiAccess access;
  ApiCredentials credentials;
  ApiClientOptions options;
  std::shared_ptr<ConnectionPool> pool;
  ApiClientCounters counters;
};

std::string ApiClient::State::context_of(std::string_view target) const {
  std::string text = "GET ";
  text += target.substr(0, MaxTargetInMessage);
  text += target.size() > MaxTargetInMessage ? "..." : "";
  return text + " from " + access.endpoint.to_text();
}

std::string ApiClient::State::request_for(std::string_view target,
                                          const Presented& presented) const {
  std::string text = "GET " + access.endpoint.prefix;
  text += target;
  text += " HTTP/1.1\r\nHost: " + access.endpoint.authority();
  text += "\r\nUser-Agent: " + options.user_agent;
  text += "\r\nAccept: application/json\r\n";
  if (access.accepts_gzip) {
    text += "Accept-Encoding: gzip\r\n";
  }
  if (!presented.authorization.empty()) {
    text += "Authorization: " + presented.authorization + "\r\n";
  }
  return text + "\r\n";
}

Exchange ApiClient::State::exchange_on(std::shared_ptr<ApiStream> stream,
                                       std::string_view target) const {
  return std::make_unique<HttpExchange>(pool, std::move(stream), context_of(target));
}

asio::awaitable<ApiClient::State::Attempt> ApiClient::State::attempt(const std::string& target,
                                                                     const Presented& presented,
                                                                     TimePoint deadline) {
  auto kept = pool->take(presented.tls);
  if (kept) {
    auto exchange = exchange_on(std::move(kept), target);
    auto begun = co_await exchange->begin(request_for(target, presented), deadline);
    if (begun) {
      co_return exchange;
    }
    // The server may have closed the connection while the request was on its way.
    const bool is_stale = !exchange->has_started() && begun.error().error.kind == ErrorKind::System;
    if (!is_stale) {
      co_return std::unexpected(std::move(begun.error()));
    }
    ++counters.stale_connections;
  }
  co_return co_await attempt_on_new(target, presented, deadline);
}

asio::awaitable<ApiClient::State::Attempt> ApiClient::State::attempt_on_new(
    const std::string& target, const Presented& presented, TimePoint deadline) {
  const std::string& name =
      access.tls_server_name.empty() ? access.endpoint.host : access.tls_server_name;
  auto stream = co_await ApiStream::connect(access.endpoint, {presented.tls, name}, deadline);
  if (!stream) {
    co_return std::unexpected(std::move(stream.error()));
  }
  ++counters.connections;
  auto exchange = exchange_on(std::move(*stream), target);
  if (auto begun = co_await exchange->begin(request_for(target, presented), deadline); !begun) {
    co_return std::unexpected(std::move(begun.error()));
  }
  co_return exchange;
}

asio::awaitable<ApiClient::State::Attempt> ApiClient::State::attempt_with_credentials(
    const std::string& target, TimePoint deadline) {
  auto presented = co_await credentials.current(deadline);
  if (!presented) {
    co_return std::unexpected(Failure{std::move(presented.error())});
  }
  auto first = co_await attempt(target, *presented, deadline);
  auto refusal = TlsRefusal::None;
  if (!first) {
    refusal = first.error().refusal;
  } else if ((*first)->status() == Unauthorized) {
    refusal = TlsRefusal::OfClient;
  }
  if (refusal == TlsRefusal::None) {
    co_return first;
  }
  auto renewed = co_await credentials.renew(*presented, refusal, deadline);
  if (!renewed) {
    co_return std::unexpected(Failure{with_context(
        std::move(renewed.error()), "the server refuses the credentials, and getting new ones")});
  }
  if (is_equal(*renewed, *presented)) {
    co_return first;
  }
  ++counters.renewed_credentials;
  first = std::unexpected(Failure{});  // Its connection is not needed any more.
  co_return co_await attempt(target, *renewed, deadline);
}

ApiClient::ApiClient(std::shared_ptr<State> state) : state_(std::move(state)) {}

ApiClient::~ApiClient() = default;

Result<std::unique_ptr<ApiClient>> ApiClient::make(asio::io_context& context, ApiAccess access,
                                                   ApiClientOptions options) {
  auto credentials = ApiCredentials::make(context.get_executor(), access, options.credentials);
  if (!credentials) {
    return std::unexpected(std::move(credentials.error()));
  }
  return std::unique_ptr<ApiClient>(new ApiClient(
      std::make_shared<State>(std::move(access), std::move(*credentials), std::move(options))));
}

asio::awaitable<Result<std::unique_ptr<ApiExchange>>> ApiClient::get(
    std::string target, std::chrono::milliseconds timeout) {
  const auto begun = Clock::now();
  const auto deadline = begun + timeout;
  const auto state = state_;
  ++state->counters.requests;
  if (!is_usable_target(target)) {
    co_return failure(ErrorKind::InvalidInput, "the target of a request is malformed");
  }
  auto lease = state->pool->lease();
  if (!lease) {
    ++state->counters.refused_exchanges;
    co_return failure(ErrorKind::Exhausted, state->context_of(target) + ": more than " +
                                                std::to_string(MaxExchanges) +
                                                " exchanges at one time");
  }
  auto exchange = co_await state->attempt_with_credentials(target, deadline);
  if (state->options.requests) {
    state->options.requests->note(exchange ? (*exchange)->status() : ApiRequests::NoResponse,
                                  Clock::now() - begun);
  }
  if (!exchange) {
    co_return std::unexpected(
        with_context(std::move(exchange.error().error), state->context_of(target)));
  }
  if (is_redirect((*exchange)->status())) {
    co_return failure(ErrorKind::Unsupported,
                      state->context_of(target) + ": the server redirects to '" +
                          (*exchange)->location() + "'; give its address as the API server");
  }
  (*exchange)->hold(std::move(*lease));
  co_return std::move(*exchange);
}

ApiClientCounters ApiClient::counters() const noexcept {
  ApiClientCounters counters = state_->counters;
  counters.stale_connections += state_->pool->stale();
  return counters;
}

}  // namespace waypost::kube
