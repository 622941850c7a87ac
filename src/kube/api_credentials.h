// What is shown to the API server with a request, kept fresh: tokens and certificates are replaced
// in their files, plugins hand out credentials that expire.
//
// Not here: where they are configured (kube/api_access.h), the connections that use them
// (kube/api_client.h).

#pragma once

#include "base/error.h"
#include "base/tls.h"
#include "kube/api_access.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace waypost::kube {

// What one request shows.
struct Presented {
  std::string authorization;  // The value of the Authorization header; empty: there is none.
  TlsContext tls;             // Nothing for an endpoint without TLS.
};

struct CredentialOptions {
  // Files are looked at when a request is made, but not more often than this.
  std::chrono::milliseconds file_check_interval{5'000};
  // How long a plugin may take.
  std::chrono::milliseconds plugin_time_limit{30'000};
  // Called when something is wrong that does not keep requests from being made, such as a file that
  // can no longer be read while what it held is still good: once per problem, and again when it
  // comes back after it was gone.  The text never holds a credential.
  std::function<void(const std::string&)> warn = [](const std::string&) {};
};

// Used on one thread.  It may be destroyed while current() or renew() is under way.
class ApiCredentials {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Reads all files that `access` names.  Fails when one cannot be read or used, with its name and
  // what was expected.
  static Result<ApiCredentials> make(boost::asio::any_io_executor executor, ApiAccess access,
                                     CredentialOptions options);

  // Returns what to show now.  Looks at the files, and runs the plugin when there is no credential
  // of it that is still good; several callers share one run.  A file that has become unreadable or
  // unusable leaves what it held before in force, with a warning.  Fails when the plugin fails, and
  // with Exhausted at `deadline`; the plugin then goes on for whoever comes next.
  boost::asio::awaitable<Result<Presented>> current(TimePoint deadline);

  // The same after `refused` was of no use: looks at the files at once, and, when it was this side
  // that was refused, runs the plugin unless that has been done since.  When there is nothing new,
  // the result equals `refused`.
  boost::asio::awaitable<Result<Presented>> renew(Presented refused, TlsRefusal why,
                                                  TimePoint deadline);

 private:
  struct State;
  explicit ApiCredentials(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace waypost::kube
