#include "server/tcp_worker.h"

#include "server/socket.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace waypost::server {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr auto Await = asio::as_tuple(asio::use_awaitable);

// Out of descriptors or memory, accept() fails at once every time until something is closed.
constexpr milliseconds AcceptRetry{50};

// How late a deadline may be noticed.
milliseconds sweep_interval(const Options& options) {
  return std::clamp(std::min(options.tcp_idle_timeout, options.tcp_write_timeout) / 8,
                    milliseconds(5), milliseconds(500));
}

// A coroutine here throws only when memory is short; then its connection is lost, and no more.
void ignore_exception(const std::exception_ptr&) noexcept {}

IpAddress to_address(const asio::ip::address& address) {
  if (address.is_v4()) {
    return IpAddress::from_octets(address.to_v4().to_bytes());
  }
  return IpAddress::from_octets(address.to_v6().to_bytes());
}

}  // namespace

TcpWorker::TcpWorker(TcpShared shared) : shared_(std::move(shared)), sweep_(*shared_.context) {}

void TcpWorker::add(asio::ip::tcp::acceptor acceptor) {
  const int fd = acceptor.native_handle();
  listeners_.push_back({std::move(acceptor), asio::steady_timer(*shared_.context), fd});
}

void TcpWorker::start() {
  for (Listener& listener : listeners_) {
    asio::co_spawn(*shared_.context, accept(listener), ignore_exception);
  }
}

void TcpWorker::stop_accepting() {
  accepts_ = false;
  for (Listener& listener : listeners_) {
    boost::system::error_code ignored;
    listener.acceptor.close(ignored);
    listener.retry.cancel();
  }
}

// Closing a socket resets the connections that nobody has accepted yet.
void TcpWorker::accept_what_waits(Listener& listener) {
  boost::system::error_code error;
  listener.acceptor.non_blocking(true, error);
  for (int i = 0; i < TcpBacklog && !error; ++i) {
    asio::ip::tcp::endpoint client;
    asio::ip::tcp::socket socket = listener.acceptor.accept(client, error);
    if (!error) {
      admit(std::move(socket), to_address(client.address()));
    }
  }
}

void TcpWorker::drain() {
  for (Listener& listener : listeners_) {
    accept_what_waits(listener);
  }
  stop_accepting();
  for (TcpSession* session : shared_.sessions) {
    session->finish();
  }
}

void TcpWorker::add_sockets(std::vector<int>& sockets) const {
  for (const Listener& listener : listeners_) {
    sockets.push_back(listener.fd);
  }
}

void TcpWorker::hand_over(TakeConnection take) {
  shared_.take_connection = std::move(take);
  accepts_ = false;
  for (Listener& listener : listeners_) {
    // Closing alone would leave the socket in this process' epoll set, because another has it, too.
    boost::system::error_code error;
    const OwnedFd socket(listener.acceptor.release(error));
    listener.retry.cancel();
  }
  for (TcpSession* session : shared_.sessions) {
    session->finish();
  }
}

void TcpWorker::adopt(OwnedFd connection, std::vector<std::uint8_t> read) {
  if (read.size() > 2 + TcpShared::MaxRequestSize) {
    return;  // No beginning of a query that is answered is as long.
  }
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  asio::ip::tcp::socket socket(*shared_.context);
  boost::system::error_code error;
  if (getpeername(connection.get(), reinterpret_cast<sockaddr*>(&peer), &size) == 0) {
    socket.assign(peer.ss_family == AF_INET ? asio::ip::tcp::v4() : asio::ip::tcp::v6(),
                  connection.get(), error);
    if (!error) {
      (void)connection.release();
      admit(std::move(socket), from_sockaddr(peer).address, std::move(read));
    }
  }
}

void TcpWorker::close() {
  closed_ = true;
  stop_accepting();
  sweep_.cancel();
  for (TcpSession* session : shared_.sessions) {
    session->close();
  }
}

asio::awaitable<void> TcpWorker::accept(Listener& listener) {
  while (accepts_) {
    asio::ip::tcp::endpoint client;
    auto [error, socket] = co_await listener.acceptor.async_accept(client, Await);
    if (!error) {
      admit(std::move(socket), to_address(client.address()));
    } else if (accepts_ && error != asio::error::connection_aborted) {
      listener.retry.expires_after(AcceptRetry);
      co_await listener.retry.async_wait(Await);
    }
  }
}

void TcpWorker::admit(asio::ip::tcp::socket socket, const IpAddress& client,
                      std::vector<std::uint8_t> read) {
  const unsigned open = shared_.open_connections.fetch_add(1, std::memory_order_relaxed);
  if (closed_ || open >= shared_.options.max_tcp_connections) {
    shared_.open_connections.fetch_sub(1, std::memory_order_relaxed);
    shared_.counters.tcp_refused.add();
    return;
  }
  shared_.counters.tcp_connections.add();
  boost::system::error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket.non_blocking(true, ignored);
  auto session = std::make_shared<TcpSession>(shared_, std::move(socket), client, std::move(read));
  if (!accepts_) {  // Accepted just before.
    session->finish();
  }
  asio::co_spawn(*shared_.context, TcpSession::serve(std::move(session)), ignore_exception);
  if (!std::exchange(sweeping_, true)) {
    asio::co_spawn(*shared_.context, close_late_sessions(), ignore_exception);
  }
}

// Walks over all connections a few times per timeout, instead of a timer for each: setting a
// deadline is then a plain store.
asio::awaitable<void> TcpWorker::close_late_sessions() {
  while (!shared_.sessions.empty() && !closed_) {
    sweep_.expires_after(sweep_interval(shared_.options));
    co_await sweep_.async_wait(Await);
    const auto now = TcpSession::Clock::now();
    for (TcpSession* session : shared_.sessions) {
      if (session->deadline() <= now) {
        shared_.counters.tcp_timeouts.add();
        session->close();
      }
    }
  }
  sweeping_ = false;
}

}  // namespace waypost::server
