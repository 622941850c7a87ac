// A small HTTP/1.1 server for probes, scrapes and the status page: GET and HEAD of a few paths,
// POST of others, on the control thread.
//
// Bounded in every direction: connections, octets of a request's head, time.  A request's body is
// not read.  The door to Boost.Beast as a server.
//
// Not here: what the paths say (ops/probes.h, ops/metrics.h).

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "server/inheritance.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waypost::ops {

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};  // Besides the usual ones.
};

// Called on the control thread for each GET and HEAD of its path, whatever the query behind it.
using HttpHandler = std::function<HttpReply()>;
// Called on the control thread for each POST of its path, with what stands behind the question
// mark.
using HttpAction = std::function<HttpReply(std::string_view query)>;

// A GET or HEAD of somebody who wants more than one answer for all.
struct HttpRequest {
  IpAddress client;
  std::string host;   // As the field Host says: a name or an address, and perhaps a port.
  std::string query;  // What stands behind the question mark.
};
// Called on the control thread; the connection waits for it, nobody else does.  The request is
// good until it has returned.
using HttpPage = std::function<boost::asio::awaitable<HttpReply>(const HttpRequest&)>;

struct HttpLimits {
  std::size_t connections = 64;    // Of each address at one time; more are closed at once.
  std::size_t head_octets = 8192;  // Of a request line with its header fields.
  // Without a whole request, and for the client to take the reply.
  std::chrono::milliseconds timeout{10'000};
};

struct HttpCounters {
  std::map<unsigned, std::uint64_t> replies;  // By status.
  std::uint64_t refused = 0;                  // Connections above the bound.
  std::uint64_t timeouts = 0;                 // Connections that were too slow, or idle.
};

// Every path there is.
inline constexpr std::string_view AnyPath = "*";

// Where a path is served, with its real port.
struct HttpPlace {
  SocketAddress address;
  std::string path;
};

// Control thread only.
class HttpServer {
 public:
  // `context` is borrowed and outlives this object.
  explicit HttpServer(boost::asio::io_context& context, HttpLimits limits = {});
  // Closes every socket; a handler is not called any more.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Serves `path` ("/ready", or AnyPath) on `address`; on one address all of its paths, of which
  // the first that fits answers.  Before open().
  void serve(const SocketAddress& address, std::string path, HttpHandler handler);
  // The same for a reply that depends on the request.  Not in places().
  void show(const SocketAddress& address, std::string path, HttpPage page);
  // The same for what something is done with.
  void act(const SocketAddress& address, std::string path, HttpAction action);

  // Opens a socket for each address; port 0 lets the kernel choose one.  Fails, naming the address,
  // when one cannot be had.  Clients are answered once the context runs.
  // Sockets of `inheritance` are used for the addresses that they are bound to.
  Result<void> open(server::Inheritance* inheritance = nullptr);

  // The listening sockets; borrowed, and open until stop_listening() or the end.
  std::vector<int> sockets() const;
  // Accepts no more, because another process does, which has the sockets, too.
  void stop_listening();

  // After open(), in the order of serve().
  std::vector<HttpPlace> places() const;

  const HttpCounters& counters() const noexcept;

 private:
  struct Listener;
  struct Session;
  struct State;
  Listener& listener_at(const SocketAddress& address);
  std::shared_ptr<State> state_;  // Shared with the sessions, which may end later.
};

}  // namespace waypost::ops
