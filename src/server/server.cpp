#include "server/server.h"

#include "base/random.h"
#include "server/socket.h"
#include "server/worker.h"

#include <algorithm>
#include <atomic>
#include <list>
#include <utility>

namespace waypost::server {

struct Server::State {
  Options options;
  TransferSource transfers;
  std::vector<SocketAddress> addresses;
  std::atomic<unsigned> open_connections{0};
  std::list<Worker> workers;  // Last, because they refer to the others.
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(const Options& options, const Views& views,
                                              TransferSource transfers, Recursion* recursion) {
  auto state = std::make_unique<State>();
  state->options = options;
  state->transfers = std::move(transfers);
  state->options.max_tcp_pipeline = std::max(options.max_tcp_pipeline, 1U);
  const unsigned workers = std::max(options.workers, 1U);
  SystemRandom random;
  for (unsigned i = 0; i < workers; ++i) {
    state->workers.emplace_back(state->options, views, state->transfers, recursion,
                                state->open_connections, random.next());
  }
  const bool has_v6 = has_ipv6();
  for (const SocketAddress& wanted : options.listen) {
    if (!has_v6 && is_dispensable(wanted, options.listen)) {
      continue;
    }
    Claim claim = workers == 1 ? Claim::Alone : Claim::First;
    SocketAddress address = wanted;
    for (Worker& worker : state->workers) {
      const Result<SocketAddress> bound = worker.listen(address, claim);
      if (!bound) {
        return std::unexpected(bound.error());
      }
      address = *bound;
      claim = Claim::Join;
    }
    state->addresses.push_back(address);
  }
  unsigned number = 0;
  for (Worker& worker : state->workers) {
    if (const Result<void> started = worker.start(number++); !started) {
      return std::unexpected(started.error());
    }
  }
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

const std::vector<SocketAddress>& Server::addresses() const noexcept {
  return state_->addresses;
}

void Server::drain_tcp() {
  for (Worker& worker : state_->workers) {
    worker.drain_tcp();
  }
}

unsigned Server::open_connections() const noexcept {
  return state_->open_connections.load(std::memory_order_relaxed);
}

std::size_t Server::receive_buffer() const noexcept {
  std::size_t least = state_->options.udp_buffer_size;
  for (const Worker& worker : state_->workers) {
    least = std::min(least, worker.receive_buffer());
  }
  return least;
}

std::vector<const Counters*> Server::counters() const {
  std::vector<const Counters*> counters;
  for (Worker& worker : state_->workers) {
    worker.count_drops();
    counters.push_back(&worker.counters());
  }
  return counters;
}

std::uint64_t Server::drain_samples(const std::function<void(const QuerySample&)>& use) {
  std::uint64_t missed = 0;
  for (Worker& worker : state_->workers) {
    worker.samples().drain(use);
    missed += worker.samples().missed();
  }
  return missed;
}

}  // namespace waypost::server
