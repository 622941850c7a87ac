// The API server over HTTP/1.1: the ApiTransport of a running program.
//
// An ApiAccess says where and as whom; an ApiClient connects, shows credentials, keeps connections
// for the next request, and explains what goes wrong.
//
// Not here: when to try again (sources/), what the bodies say.

#pragma once

#include "base/error.h"
#include "kube/api_access.h"
#include "kube/api_credentials.h"
#include "kube/api_requests.h"
#include "kube/api_transport.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace waypost::kube {

// "waypost-dns/0.1.0 (linux/amd64)": how client-go writes it, with Go's name of this architecture.
std::string user_agent(std::string_view program, std::string_view version);

struct ApiClientOptions {
  std::string user_agent;
  CredentialOptions credentials;
  // An idle connection is not used again after this: before the API server's own 90 s.
  std::chrono::milliseconds max_idle{60'000};
  // Where requests are counted that are made; may be null.
  std::shared_ptr<ApiRequests> requests;
};

// What happened since the start.  They only grow.
struct ApiClientCounters {
  std::uint64_t requests = 0;             // Calls of get().
  std::uint64_t connections = 0;          // That were made.
  std::uint64_t stale_connections = 0;    // That turned out closed when they were to be used again.
  std::uint64_t renewed_credentials = 0;  // Requests that were made again with new credentials.
  std::uint64_t refused_exchanges = 0;    // Calls of get() that MaxExchanges refused.
};

// Runs on the thread of the io_context it was made with, and has to outlive its get() calls; what
// those returned may outlive it.
//
// A request that finds its kept connection closed is made again on a new one.  When the server
// refuses the credentials (status 401, or a certificate on either side), files are read again and a
// plugin is run again; if that yields something new, the request is made once more, otherwise the
// refusal is the result.  Redirects are refused: credentials would follow them.
class ApiClient : public ApiTransport {
 public:
  // Exchanges at one time; get() fails with Exhausted beyond.
  static constexpr std::size_t MaxExchanges = 32;
  // Connections that wait for the next request; others are closed.
  static constexpr std::size_t MaxIdleConnections = 4;

  // Reads the files that `access` names, and fails when one cannot be used; the message says where
  // it is named.  Does not connect.
  static Result<std::unique_ptr<ApiClient>> make(boost::asio::io_context& context, ApiAccess access,
                                                 ApiClientOptions options);
  ~ApiClient() override;

  // As ApiTransport says.  Fails with InvalidInput for a target that does not begin with / or has
  // blanks or control characters in it.
  boost::asio::awaitable<Result<std::unique_ptr<ApiExchange>>> get(
      std::string target, std::chrono::milliseconds timeout) override;

  ApiClientCounters counters() const noexcept;

 private:
  struct State;
  explicit ApiClient(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace waypost::kube
