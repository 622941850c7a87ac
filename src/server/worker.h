// One thread of the server: an io_context, and the UDP and TCP sockets that it serves.

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
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

namespace waypost::server {

// Made, started and destroyed by one thread; the rest happens on its own.
class Worker {
 public:
  // All references are borrowed and outlive the worker.
  // `recursion` may be absent.
  Worker(const Options& options, const Views& views, const TransferSource& transfers,
         Recursion* recursion, std::atomic<unsigned>& open_connections, std::uint64_t seed);
  // Closes everything and joins the thread.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Opens a UDP and a TCP socket on `address`; before start().  With port 0 both get the same one.
  // Returns the address with its real port.
  Result<SocketAddress> listen(const SocketAddress& address, Claim claim);

  // `number` tells its thread from the others'.
  Result<void> start(unsigned number);

  // As Server::drain_tcp(); after start().
  void drain_tcp();
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
