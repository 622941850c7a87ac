// Sockets and threads: N workers, each with its own SO_REUSEPORT UDP and TCP sockets for every
// listen address and its own io_context.
//
// A worker waits in Asio, drains its UDP socket with recvmmsg, answers in place, sends with
// sendmmsg, and is quiescent (base/rcu.h) once per batch.  TCP sessions are coroutines on the same
// threads.
//
// Not here: what the answers are (server/responder.h).

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "base/owned_fd.h"
#include "server/counters.h"
#include "server/query_sampler.h"
#include "server/responder.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace waypost::server {

struct Options {
  // Each for UDP and TCP.  Port 0: the kernel chooses one for both.
  std::vector<SocketAddress> listen;
  // Addresses may come later than the sockets that are bound to them (IP_FREEBIND); otherwise one
  // that the host does not have is an error.
  bool free_bind = false;
  unsigned workers = 1;  // Threads.  0 means 1, here and for the pipeline.
  // What each UDP socket may hold while its worker is busy, in bytes of the kernel's memory: some
  // ten thousand queries.  Without CAP_NET_ADMIN the kernel grants no more than net.core.rmem_max.
  unsigned udp_buffer_size = 4U << 20;
  unsigned max_tcp_connections = 4096;  // In all; more are closed at once and counted.
  // Answers that one connection gets before it waits its turn again.
  unsigned max_tcp_pipeline = 64;
  // Without a complete message (RFC 7766, 6.2.3); also how long a transfer may take to be made.
  std::chrono::milliseconds tcp_idle_timeout{10000};
  bool samples_queries = false;  // For drain_samples().
  // For the client to take what was written at once.
  std::chrono::milliseconds tcp_write_timeout{5000};
};

// How many threads have a place in what all of them read (server/responder.h): as many as the
// Policy they share must have room for.
constexpr std::size_t reader_count(const Options& options) noexcept {
  return FirstWorkerPlace + std::max(options.workers, 1U);
}

// The messages of one zone transfer (RFC 5936, 2.2), each without TCP's length prefix.
using TransferMessages = std::vector<std::vector<std::uint8_t>>;

// Asks for the transfer that `request` (a whole query message) is about.  Called on a worker's
// thread, also on several at a time.  `done` is called exactly once, on any thread, even when the
// server has gone meanwhile.  An empty result: the session is closed.
using TransferSource = std::function<void(std::vector<std::uint8_t> request,
                                          std::function<void(TransferMessages)> done)>;

class Recursion;
class Inheritance;

// Takes a TCP connection that this server does not serve any more, and what has been read of it
// without being answered: the beginning of a query.  Called on workers' threads.
using TakeConnection = std::function<void(OwnedFd connection, std::vector<std::uint8_t> read)>;

class Server {
 public:
  // Opens every socket before it returns, so that a port in use is an error here, naming the
  // address, and not later.  A port that another program shares is in use.  `views` is borrowed and
  // outlives the server.  Without `transfers` connections that ask for one are closed.  `recursion`
  // is borrowed too and not started yet; it is stopped before the server is destroyed, because it
  // sends on the workers' sockets, and destroyed after.  Without it only zones and the cache are
  // asked.
  //
  // Sockets of `inheritance` are used instead of new ones for the addresses that they are bound to,
  // whatever number of workers their process had: each is read by one worker, and workers without
  // one open their own beside them.
  static Result<std::unique_ptr<Server>> start(const Options& options, const Views& views,
                                               TransferSource transfers,
                                               Recursion* recursion = nullptr,
                                               Inheritance* inheritance = nullptr);

  // Stops and joins every worker; open TCP connections are closed.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // What the sockets are bound to, in the order of Options::listen, with real ports.
  const std::vector<SocketAddress>& addresses() const noexcept;

  // Accepts no more TCP connections, and closes each that is open once what has arrived on it is
  // answered and sent.  UDP goes on.  Returns at once; has ended when open_connections() is 0.
  void drain_tcp();
  unsigned open_connections() const noexcept;

  // All UDP and listening TCP sockets; borrowed, and open until hand_over() or the end.
  std::vector<int> sockets() const;
  // To be called when another process reads all of sockets().  Nothing is read from them here any
  // more, and no connection is accepted; what is in hand is answered.  Each TCP connection goes to
  // `take` as soon as it waits for its client.  Returns at once; has ended when open_connections()
  // is 0 and nothing is resolved elsewhere.
  void hand_over(const TakeConnection& take);
  // Serves a connection that another process gave to its TakeConnection, as an accepted one.  Any
  // thread may call it.
  void adopt(OwnedFd connection, std::vector<std::uint8_t> read);

  // What the kernel granted of Options::udp_buffer_size: the least that any UDP socket has.
  std::size_t receive_buffer() const noexcept;

  // One for each worker; valid as long as the server.  Asks the kernel what it has dropped since
  // the last call, so that workers need not: one thread at a time calls it.
  std::vector<const Counters*> counters() const;

  // Hands over the samples of queries that workers have taken since the last call, and returns how
  // many queries stood behind those that were lost so far.  One thread at a time calls it, at least
  // once a second, or few samples have room.
  std::uint64_t drain_samples(const std::function<void(const QuerySample&)>& use);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace waypost::server
