// A worker without a thread of its own: the test takes each of its turns, so that what happens in
// one can be counted.

#pragma once

#include "base/rcu.h"
#include "server/socket.h"
#include "server/tcp_worker.h"
#include "server/udp_worker.h"
#include "support/cluster.h"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <memory>

namespace waypost::test {

class InlineWorker {
 public:
  // On loopback, with an empty world.  Throws std::bad_expected_access when there is no socket.
  explicit InlineWorker(server::Options options = {});
  ~InlineWorker();
  InlineWorker(const InlineWorker&) = delete;
  InlineWorker& operator=(const InlineWorker&) = delete;

  // Waits for what is next and does it: one batch of batches, or one turn of a connection.
  void step() { context_->run_one(); }
  // The same without waiting.  False when there is nothing to do.
  bool try_step() { return context_->poll_one() != 0; }

  const SocketAddress& udp_address() const noexcept { return udp_address_; }
  const SocketAddress& tcp_address() const noexcept { return tcp_address_; }
  const server::Counters& counters() const noexcept { return counters_; }

 private:
  server::Options options_;
  TestCluster cluster_;
  server::TransferSource transfers_;
  std::atomic<unsigned> open_connections_{0};
  server::Counters counters_;
  server::QuerySampler sampler_{true, 1};
  rcu::ReaderThread reader_;
  std::shared_ptr<boost::asio::io_context> context_ = std::make_shared<boost::asio::io_context>(1);
  server::Responder responder_;
  server::Handover handover_;
  server::UdpBatch batch_;
  std::unique_ptr<server::UdpWorker> udp_;
  server::TcpWorker tcp_;
  SocketAddress udp_address_;
  SocketAddress tcp_address_;
};

}  // namespace waypost::test
