// One TCP connection (RFC 7766): any number of queries, as many answers as are at hand in one
// write.
//
// What is known here is answered in order.  A query that has to be resolved elsewhere does not hold
// up those behind it: its answer is sent when it comes (RFC 7766, 6.2.1.1), because one slow name
// would otherwise stall a stub that asks for everything on one connection.
//
// A connection that waits for its client owns no buffer: it waits for readiness and then reads into
// memory that all connections of the worker share.  Only what cannot be finished at once is kept by
// the connection itself: the beginning of a request, at most TcpShared::InputSize octets, and
// answers that the client does not take, at most TcpShared::OutputSize.  Idle, it costs two and a
// half KiB here, besides what the kernel keeps for its socket.
//
// Not here: accepting and deadlines (server/tcp_worker.h), what the answer is (server/responder.h).

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"
#include "server/counters.h"
#include "server/query_sampler.h"
#include "server/responder.h"
#include "server/server.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_set>
#include <vector>

namespace waypost::server {

class Recursion;
class TcpSession;

// What the connections of one worker share.  Used on the worker's thread; the references are
// borrowed.
struct TcpShared {
  // The longest request, in octets, as over UDP: no query that has an answer comes near it.  The
  // connection of a longer one is closed.
  static constexpr std::size_t MaxRequestSize = 4096;
  // What is read at once.
  static constexpr std::size_t InputSize = 16384;
  // Answers are gathered until they are this long; the last of them may be of any size.
  static constexpr std::size_t GatherSize = 16384;
  static constexpr std::size_t OutputSize = GatherSize + 2 + dns::MaxMessageSize;
  // Queries of all connections of a worker that may be resolved elsewhere at one time.
  static constexpr std::size_t MaxPending = 4096;

  // A transfer under way holds it weakly, because it may end later than the server.
  std::shared_ptr<boost::asio::io_context> context;
  const Options& options;
  const TransferSource& transfers;
  Responder& responder;
  Counters& counters;
  QuerySampler& sampler;
  std::atomic<unsigned>& open_connections;  // Of all workers.
  Recursion* recursion = nullptr;           // Absent: nothing is resolved elsewhere.
  TakeConnection take_connection = {};      // Where sessions that finish() leave their connections;
                                            // absent: they close them.
  std::size_t pending = 0;                  // Queries that are being resolved, of all connections.
  std::unordered_set<TcpSession*>
      sessions;  // Those that are alive; each enters and leaves by itself.
  // Both hold nothing across a wait.
  std::vector<std::uint8_t> input = std::vector<std::uint8_t>(InputSize);
  std::vector<std::uint8_t> output = std::vector<std::uint8_t>(OutputSize);
};

// Lives on its worker's thread, kept alive by its own coroutine.
class TcpSession : public std::enable_shared_from_this<TcpSession> {
 public:
  using Clock = std::chrono::steady_clock;

  // `shared` is borrowed and outlives the session.  The caller has counted the connection in
  // shared.open_connections; the destructor takes it off.  `read` is what has been read of the
  // connection before.
  TcpSession(TcpShared& shared, boost::asio::ip::tcp::socket socket, const IpAddress& client,
             std::vector<std::uint8_t> read = {});
  ~TcpSession();
  TcpSession(const TcpSession&) = delete;
  TcpSession& operator=(const TcpSession&) = delete;

  // Serves the connection until either side closes it.
  static boost::asio::awaitable<void> serve(std::shared_ptr<TcpSession> session);

  // When what is waited for has taken too long.
  Clock::time_point deadline() const noexcept { return deadline_; }

  // Has it close, or give its connection away, once everything that has arrived is answered and
  // sent.
  void finish() noexcept;

  // Closes the connection and ends its wait; the coroutine then finishes.
  void close() noexcept;

 private:
  // What has to happen before the connection can go on.  Turn: others have theirs.
  enum class Need : std::uint8_t { Nothing, Turn, Input, Output, Answer, Transfer, Leave, Close };

  Need advance();
  // Waits for more from the client, unless the connection is to end.
  Need need_input() const noexcept;
  // Gives the connection, and what it has sent of a query, to TcpShared::take_connection.
  void leave();
  // Adds what has come in to the `size` octets in shared_.input.  Nothing when there was some.
  Need read(std::size_t& size);
  // Answers the whole messages at the start of `input`, as many as one write may carry, and takes
  // them off.  Returns the size of the answers in shared_.output, and how many there are in
  // `responses`.
  std::size_t answer(Bytes& input, std::size_t& responses);
  // Sends the first `size` octets of shared_.output; what the kernel does not take goes to unsent_.
  void send(std::size_t size);

  // Has `message` resolved elsewhere.  False when it has to be answered now.
  bool hand_over(Bytes message);
  // Takes an answer from elsewhere; empty: there is none.
  void deliver(std::vector<std::uint8_t> answer);
  // Until when a client may do nothing.  One that waits for an answer may wait for it.
  Clock::time_point idle_deadline() const noexcept;

  boost::asio::awaitable<void> wait_for_input();
  boost::asio::awaitable<void> wait_for_answer();
  boost::asio::awaitable<void> flush();
  boost::asio::awaitable<void> transfer();
  void begin_transfer();
  boost::asio::awaitable<bool> send_message(const std::vector<std::uint8_t>& message);

  TcpShared& shared_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer transfer_event_;  // Cancelled once transfer_done_ is set.
  boost::asio::steady_timer answer_event_;    // Cancelled once an answer has arrived.
  Client client_;
  Clock::time_point deadline_;
  std::vector<std::uint8_t> kept_;     // Input that is not answered yet.
  std::vector<std::uint8_t> unsent_;   // Answers that the client has not taken yet.
  std::vector<std::uint8_t> arrived_;  // Answers from elsewhere, to be sent next.
  std::size_t pending_ = 0;            // Queries that are being resolved elsewhere.
  bool waits_for_input_ = false;
  std::vector<std::uint8_t> transfer_request_;  // The query to be answered by a transfer, next.
  TransferMessages transfer_messages_;
  bool transfer_done_ = false;  // transfer_messages_ is there.
  bool closing_ = false;        // To be closed once everything is sent; no more is read.
  bool finishing_ = false;      // The same once nothing is left to be read.
};

}  // namespace waypost::server
