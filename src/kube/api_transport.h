// How this process reads from the API server: one GET, one response whose body arrives in pieces.
//
// An ApiTransport knows where the server is and who it is talked to as; what it hands out is an
// ApiExchange, the response to one request.  A list is an exchange that ends, a watch is one that
// goes on.  Everything happens on the thread that runs the transport's io_context; nothing here
// may be called from another one.
//
// How failures of both classes are told apart, whatever their words:
//   System        The connection could not be made, or broke.  Trying again later may help.
//   Exhausted     Nothing came within the timeout, or a stated bound was reached.
//   InvalidInput  What came is not HTTP or not gzip, or a credential cannot be read.
//   Unsupported   The response asks for what is not offered, such as following a redirect.
// A response with any other status than a redirect is an outcome, not a failure.
// Messages name the server and the target, and never hold a credential.
//
// Not here: what the body says (list and watch readers), when to try again (sources/).

#pragma once

#include "base/error.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace waypost::kube {

// A response whose body arrives in pieces.  It may be destroyed at any time, but not while a read()
// is under way, and before the transport that made it.
class ApiExchange {
 public:
  // Ends the exchange: drops the connection if the body was not read to its end.
  virtual ~ApiExchange() = default;

  // The HTTP status: 200, 410, 503.
  virtual unsigned status() const noexcept = 0;

  // What the server asked for with a Retry-After header in seconds (RFC 9110, 10.2.3); nothing
  // without one, and for the form with a date, which the API server does not send.
  virtual std::optional<std::chrono::seconds> retry_after() const noexcept = 0;

  // The next piece of the decoded (de-chunked, gunzipped) body, borrowed until the next call or the
  // end of this object; empty at its end, and then at every further call.  Pieces have no meaning:
  // they may end in the middle of a character.
  //
  // Fails with System when the connection breaks before the body's end, with Exhausted when nothing
  // came for `timeout`.  After a failure every further call fails alike.
  virtual boost::asio::awaitable<Result<std::string_view>> read(
      std::chrono::milliseconds timeout) = 0;

 protected:
  ApiExchange() = default;
  ApiExchange(const ApiExchange&) = default;
  ApiExchange& operator=(const ApiExchange&) = default;
};

class ApiTransport {
 public:
  virtual ~ApiTransport() = default;

  // Sends GET `target` ("/api/v1/services?limit=500") and waits for the response's head, at most
  // `timeout` for everything: credentials, connecting, TLS, sending, waiting.  Several
  // exchanges may be under way at once; an implementation bounds their number.
  virtual boost::asio::awaitable<Result<std::unique_ptr<ApiExchange>>> get(
      std::string target, std::chrono::milliseconds timeout) = 0;

 protected:
  ApiTransport() = default;
  ApiTransport(const ApiTransport&) = default;
  ApiTransport& operator=(const ApiTransport&) = default;
};

}  // namespace waypost::kube
