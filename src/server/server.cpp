#include "server/server.h"

#include "base/random.h"
#include "server/inheritance.h"
#include "server/socket.h"
#include "server/worker.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <list>
#include <utility>

namespace waypost::server {

struct Server::State {
  Options options;
  TransferSource transfers;
  std::vector<SocketAddress> addresses;
  std::atomic<unsigned> open_connections{0};
  std::atomic<unsigned> adopted{0};  // Connections, from any thread.
  std::list<Worker> workers;         // Last, because they refer to the others.

  Result<void> listen_all(Inheritance* inheritance);
  Result<SocketAddress> listen(const SocketAddress& wanted, InheritedSockets inherited);
};

// New addresses first, because they may be taken: a socket that joins inherited ones gets queries
// from then on, which nobody would answer after a failure.
Result<void> Server::State::listen_all(Inheritance* inheritance) {
  const bool has_v6 = has_ipv6();
  std::vector<InheritedSockets> inherited;
  for (const SocketAddress& wanted : options.listen) {
    if (has_v6 || !is_dispensable(wanted, options.listen)) {
      addresses.push_back(wanted);
      inherited.push_back(inheritance == nullptr ? InheritedSockets{} : inheritance->take(wanted));
    }
  }
  for (const bool is_new : {true, false}) {
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      if (inherited[i].is_empty() != is_new) {
        continue;
      }
      const Result<SocketAddress> bound = listen(addresses[i], std::move(inherited[i]));
      if (!bound) {
        return std::unexpected(bound.error());
      }
      addresses[i] = *bound;
    }
  }
  return {};
}

// Opens the sockets of all workers for one address, or shares out the inherited ones.
Result<SocketAddress> Server::State::listen(const SocketAddress& wanted,
                                            InheritedSockets inherited) {
  const std::size_t count = inherited.udp.size();
  if (inherited.tcp.size() != count) {
    return failure(ErrorKind::InvalidInput,
                   "cannot listen on " + inherited.address.to_text() +
                       ": found inherited sockets of UDP and TCP in different numbers");
  }
  auto next = workers.begin();
  for (std::size_t i = 0; i < count; ++i) {
    if (workers.size() > count &&
        (!let_join(inherited.udp[i].get()) || !let_join(inherited.tcp[i].get()))) {
      return system_failure("cannot share " + inherited.address.to_text());
    }
    if (auto taken = next->adopt(inherited.address, std::move(inherited.udp[i]),
                                 std::move(inherited.tcp[i]));
        !taken) {
      return std::unexpected(std::move(taken.error()));
    }
    next = std::next(next) == workers.end() ? workers.begin() : std::next(next);
  }
  SocketAddress address = count == 0 ? wanted : inherited.address;
  Claim claim = count != 0 ? Claim::Join : workers.size() == 1 ? Claim::Alone : Claim::First;
  std::size_t at = 0;
  for (Worker& worker : workers) {
    if (at++ < count) {
      continue;
    }
    const Result<SocketAddress> bound = worker.listen(address, claim);
    if (!bound) {
      return std::unexpected(bound.error());
    }
    address = *bound;
    claim = Claim::Join;
  }
  return address;
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(const Options& options, const Views& views,
                                              TransferSource transfers, Recursion* recursion,
                                              Inheritance* inheritance) {
  auto state = std::make_unique<State>();
  state->options = options;
  state->transfers = std::move(transfers);
  state->options.max_tcp_pipeline = std::max(options.max_tcp_pipeline, 1U);
  SystemRandom random;
  for (std::size_t place = FirstWorkerPlace; place < reader_count(options); ++place) {
    state->workers.emplace_back(state->options, views, state->transfers, recursion,
                                state->open_connections, random.next(), place);
  }
  if (Result<void> listens = state->listen_all(inheritance); !listens) {
    return std::unexpected(std::move(listens.error()));
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

std::vector<int> Server::sockets() const {
  std::vector<int> sockets;
  for (const Worker& worker : state_->workers) {
    worker.add_sockets(sockets);
  }
  return sockets;
}

void Server::hand_over(const TakeConnection& take) {
  for (Worker& worker : state_->workers) {
    worker.hand_over(take);
  }
}

void Server::adopt(OwnedFd connection, std::vector<std::uint8_t> read) {
  const auto turn = static_cast<std::ptrdiff_t>(
      state_->adopted.fetch_add(1, std::memory_order_relaxed) % state_->workers.size());
  std::next(state_->workers.begin(), turn)->adopt(std::move(connection), std::move(read));
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
