// The TCP side of one worker: accepts connections, and closes those that are over their deadline.
//
// Not here: what happens on a connection (server/tcp_session.h).

#pragma once

#include "server/tcp_session.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <list>
#include <vector>

namespace waypost::server {

// Lives on one thread.
class TcpWorker {
 public:
  explicit TcpWorker(TcpShared shared);
  TcpWorker(const TcpWorker&) = delete;
  TcpWorker& operator=(const TcpWorker&) = delete;

  // Accepts connections from `acceptor` once start() is called.
  void add(boost::asio::ip::tcp::acceptor acceptor);
  void start();

  // Accepts no more, and has every session finish.
  void drain();

  // The listening sockets.  Any thread, before drain(), hand_over() and close().
  void add_sockets(std::vector<int>& sockets) const;
  // Accepts no more, because another process does, and has every session give its connection to
  // `take` once it waits for its client.
  void hand_over(TakeConnection take);
  // Serves `connection` as if it had been accepted, and `read` had just been read from it.
  void adopt(OwnedFd connection, std::vector<std::uint8_t> read);

  // Closes everything.  The coroutines end on the io_context; this object stays until they have.
  void close();

 private:
  struct Listener {
    boost::asio::ip::tcp::acceptor acceptor;
    boost::asio::steady_timer retry;
    int fd;
  };

  void accept_what_waits(Listener& listener);
  void stop_accepting();
  boost::asio::awaitable<void> accept(Listener& listener);
  void admit(boost::asio::ip::tcp::socket socket, const IpAddress& client,
             std::vector<std::uint8_t> read = {});
  boost::asio::awaitable<void> close_late_sessions();

  TcpShared shared_;
  std::list<Listener> listeners_;
  boost::asio::steady_timer sweep_;
  bool sweeping_ = false;
  bool accepts_ = true;
  bool closed_ = false;
};

}  // namespace waypost::server
