#include "server/worker.h"

#include "base/rcu.h"
#include "base/thread_role.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

namespace waypost::server {
namespace {

namespace asio = boost::asio;

// A port that is free for UDP is nearly always free for TCP too.
constexpr int PortAttempts = 16;

}  // namespace

Worker::Worker(const Options& options, const Views& views, const TransferSource& transfers,
               Recursion* recursion, std::atomic<unsigned>& open_connections, std::uint64_t seed,
               std::size_t place)
    : udp_buffer_size_(options.udp_buffer_size),
      locality_(options.free_bind ? Locality::MayCome : Locality::Required),
      open_connections_(open_connections),
      sampler_(options.samples_queries, seed),
      context_(std::make_shared<asio::io_context>(1)),
      responder_(views, counters_, seed, place),
      handover_(recursion),
      tcp_(TcpShared{.context = context_,
                     .options = options,
                     .transfers = transfers,
                     .responder = responder_,
                     .counters = counters_,
                     .sampler = sampler_,
                     .open_connections = open_connections,
                     .recursion = recursion}) {}

// Throws only for lack of memory; then the program ends, as it does anywhere else.
// NOLINTNEXTLINE(bugprone-exception-escape)
Worker::~Worker() {
  if (!thread_.joinable()) {
    return;
  }
  // run() returns once every wait has ended, so that no coroutine outlives what it refers to.
  asio::post(*context_, [this] {
    for (UdpWorker& udp : udp_) {
      udp.finish();
    }
    tcp_.close();
  });
  thread_.join();
}

Result<SocketAddress> Worker::listen(const SocketAddress& address, Claim claim) {
  const int attempts = address.port == 0 ? PortAttempts : 1;
  Error error;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    auto udp = open_udp(*context_, address, claim, udp_buffer_size_, locality_);
    if (!udp) {
      return std::unexpected(std::move(udp).error());
    }
    const SocketAddress bound{address.address, udp->local_endpoint().port()};
    auto tcp = open_tcp(*context_, bound, claim, locality_);
    if (!tcp) {
      error = std::move(tcp).error();
      continue;
    }
    udp_.emplace_back(*std::move(udp), udp_batch_, responder_, handover_, counters_, sampler_);
    tcp_.add(*std::move(tcp));
    return bound;
  }
  return std::unexpected(std::move(error));
}

Result<void> Worker::adopt(const SocketAddress& address, OwnedFd udp, OwnedFd tcp) {
  auto socket = adopt_udp(*context_, address, std::move(udp), udp_buffer_size_);
  if (!socket) {
    return std::unexpected(std::move(socket).error());
  }
  auto acceptor = adopt_tcp(*context_, address, std::move(tcp));
  if (!acceptor) {
    return std::unexpected(std::move(acceptor).error());
  }
  udp_.emplace_back(*std::move(socket), udp_batch_, responder_, handover_, counters_, sampler_);
  tcp_.add(*std::move(acceptor));
  return {};
}

Result<void> Worker::start(unsigned number) {
  try {
    thread_ = std::thread([this, number] {
      answer_first("worker-" + std::to_string(number));
      run();
    });
  } catch (const std::system_error& error) {
    return failure(ErrorKind::System, std::string("cannot start a thread: ") + error.what());
  }
  return {};
}

void Worker::drain_tcp() {
  // Counted as a connection meanwhile, so that the count is not 0 before those that wait are.
  open_connections_.fetch_add(1, std::memory_order_relaxed);
  asio::post(*context_, [this] {
    tcp_.drain();
    open_connections_.fetch_sub(1, std::memory_order_relaxed);
  });
}

void Worker::add_sockets(std::vector<int>& sockets) const {
  for (const UdpWorker& udp : udp_) {
    sockets.push_back(udp.fd());
  }
  tcp_.add_sockets(sockets);
}

void Worker::hand_over(const TakeConnection& take) {
  open_connections_.fetch_add(1, std::memory_order_relaxed);  // As drain_tcp() does.
  asio::post(*context_, [this, take] {
    for (UdpWorker& udp : udp_) {
      udp.leave();
    }
    tcp_.hand_over(take);
    open_connections_.fetch_sub(1, std::memory_order_relaxed);
  });
}

void Worker::adopt(OwnedFd connection, std::vector<std::uint8_t> read) {
  asio::post(*context_,
             [this, connection = std::move(connection), read = std::move(read)]() mutable {
               tcp_.adopt(std::move(connection), std::move(read));
             });
}

std::size_t Worker::receive_buffer() const noexcept {
  std::size_t least = udp_buffer_size_;
  for (const UdpWorker& udp : udp_) {
    least = std::min(least, udp.receive_buffer());
  }
  return least;
}

void Worker::count_drops() noexcept {
  std::uint32_t drops = 0;
  for (const UdpWorker& udp : udp_) {
    drops += udp.drops();
  }
  // The kernel counts modulo 2^32.
  counters_.receive_drops.add(drops - static_cast<std::uint32_t>(counters_.receive_drops.value()));
}

void Worker::run() {
  const rcu::ReaderThread reader;
  for (UdpWorker& udp : udp_) {
    udp.start();
  }
  tcp_.start();
  context_->run();
}

}  // namespace waypost::server
