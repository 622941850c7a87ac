// One thread of the server: an io_context, and the UDP and TCP sockets that it serves.

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "base/owned_fd.h"
#include "server/counters.h"
#include "server/query_sampler.h"
#include "server/recursion.h"
#include "server/responder.h"
#include "server/server.h"
#include "server/socket.h"
#include "server/tcp_worker.h"
#include "server/udp_worker.h"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <thread>
#include <vector>

namespace waypost::server {

// Made, started and destroyed by one thread; the rest happens on its own.
class Worker {
 public:
  // All references are borrowed and outlive the worker.
  // `recursion` may be absent; `place` is that of the Responder.
  Worker(const Options& options, const Views& views, const TransferSource& transfers,
         Recursion* recursion, std::atomic<unsigned>& open_connections, std::uint64_t seed,
         std::size_t place);
  // Closes everything and joins the thread.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Opens a UDP and a TCP socket on `address`; before start().  With port 0 both get the same one.
  // Returns the address with its real port.
  Result<SocketAddress> listen(const SocketAddress& address, Claim claim);

  // Serves sockets that another process has bound to `address`; before start().
  Result<void> adopt(const SocketAddress& address, OwnedFd udp, OwnedFd tcp);

  // `number` tells its thread from the others'.
  Result<void> start(unsigned number);

  // As Server::drain_tcp(); after start().
  void drain_tcp();
  // As Server::sockets(), hand_over() and adopt(); after start().
  void add_sockets(std::vector<int>& sockets) const;
  void hand_over(const TakeConnection& take);
  void adopt(OwnedFd connection, std::vector<std::uint8_t> read);
  // The least that the kernel granted any UDP socket, in bytes of its memory.
  std::size_t receive_buffer() const noexcept;

  // Brings receive_drops up to date; on the thread that owns the worker.
  void count_drops() noexcept;
  const Counters& counters() const noexcept { return counters_; }
  // To be read on the thread that owns the worker.
  QuerySampler& samples() noexcept { return sampler_; }

 private:
  void run();

  unsigned udp_buffer_size_;
  Locality locality_;
  std::atomic<unsigned>& open_connections_;  // Of all workers.
  Counters counters_;
  QuerySampler sampler_;
  std::shared_ptr<boost::asio::io_context> context_;
  Responder responder_;
  Handover handover_;
  UdpBatch udp_batch_;
  std::list<UdpWorker> udp_;
  TcpWorker tcp_;
  std::thread thread_;
};

}  // namespace waypost::server
