// One connection to the API server: TCP or a Unix socket, with or without TLS, every wait bounded.
//
// Not here: what is said on it (kube/http_response.h), which connection serves a request
// (kube/api_client.h).

#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/tls.h"
#include "kube/api_endpoint.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace waypost::kube {

// Used on one thread.  Whoever destroys it closes it; one operation is under way at a time.
class ApiStream {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // At most so long is one of several addresses tried before the next one is.
  static constexpr std::chrono::seconds AddressTimeout{3};
  // A peer that is gone is noticed after about this time without any word of it: TCP keep-alive
  // on an idle connection, TCP_USER_TIMEOUT on one with unacknowledged data (tcp(7)).
  static constexpr std::chrono::seconds DeadPeerTimeout{45};

  // Why a connection could not be made or used.
  struct Failure {
    Error error;
    TlsRefusal refusal = TlsRefusal::None;
  };
  template <typename T>
  using Outcome = std::expected<T, Failure>;

  // How TLS is spoken; ignored for endpoints without it.
  struct TlsChoice {
    TlsContext context;
    std::string name;  // What the server's certificate is for.
  };

  // Connects to the first address of `endpoint` that answers.  A name is looked up in another
  // thread (getaddrinfo(3)); a look-up that is late goes on there, and its result is dropped.
  // Fails with Exhausted at `deadline`.
  static boost::asio::awaitable<Outcome<std::shared_ptr<ApiStream>>> connect(ApiEndpoint endpoint,
                                                                             TlsChoice tls,
                                                                             TimePoint deadline);

  virtual ~ApiStream() = default;

  // Waits for octets and returns how many were written to the front of `buffer`, 0 when the server
  // has properly ended the stream.  Fails with Exhausted at `deadline`, with System when the
  // connection breaks; nothing can be done with it after that.
  virtual boost::asio::awaitable<Outcome<std::size_t>> read(MutableBytes buffer,
                                                            TimePoint deadline) = 0;
  // Sends all of `octets`, which live on until that is done.  Fails as read() does.
  virtual boost::asio::awaitable<Outcome<std::size_t>> write(std::string_view octets,
                                                             TimePoint deadline) = 0;

  // No operation follows for a while: nothing of this keeps the thread's io_context at work.
  virtual void rest() = 0;
  // True when an idle connection has anything to read: its end, most likely.
  virtual bool is_stale() const noexcept = 0;
  // The context that it was made with; nothing without TLS.
  virtual const TlsContext& tls_context() const noexcept = 0;

 protected:
  ApiStream() = default;
  ApiStream(const ApiStream&) = default;
  ApiStream& operator=(const ApiStream&) = default;
};

}  // namespace waypost::kube
