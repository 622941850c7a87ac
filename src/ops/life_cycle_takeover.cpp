// How the server of one process becomes that of the next (ops/takeover.h).

#include "base/log.h"
#include "ops/life_cycle_state.h"

#include <boost/asio/post.hpp>
#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace waypost::ops {
namespace {

// How long a process that takes over may take to learn the cluster.
constexpr std::chrono::seconds TakeoverLimit{60};

}  // namespace

Result<void> LifeCycle::State::begin_takeover() {
  if (config.takeover_socket.empty()) {
    return failure(ErrorKind::InvalidInput,
                   "--takeover: found no takeoverSocket, expected that of the process to take over "
                   "from");
  }
  auto begun = Takeover::begin(context, config.takeover_socket);
  if (!begun) {
    return std::unexpected(std::move(begun.error()));
  }
  predecessor = std::move(*begun);
  predecessor->start({.left = [this] { on_alone(); },
                      .adopt =
                          [this](OwnedFd connection, std::vector<std::uint8_t> read) {
                            if (answering->is_running()) {
                              answering->adopt(std::move(connection), std::move(read));
                            }
                          },
                      .end =
                          [this](const Error& why, bool is_early) {
                            if (!is_early) {
                              log::info("takeover: the process before has ended");
                            } else if (answering->is_running()) {
                              on_alone();
                            } else {
                              fail({ErrorKind::System, "--takeover: " + why.message});
                            }
                          }});
  return {};
}

void LifeCycle::State::fail(Error why) {
  result = std::unexpected(std::move(why));
  context.stop();
}

void LifeCycle::State::await_takeover_limit() {
  departure_timer.expires_after(TakeoverLimit);
  departure_timer.async_wait([this](const boost::system::error_code& ec) {
    if (!ec && !answering->is_running()) {
      fail(
          {ErrorKind::Exhausted, fmt::format("--takeover: the cluster is not known after {} s; the "
                                             "process before goes on",
                                             TakeoverLimit.count())});
    }
  });
}

void LifeCycle::State::take_over() {
  if (Result<void> served = serve_clients(); !served) {
    return fail(std::move(served.error()));
  }
  predecessor->go();
}

// Both processes have answered so far.
void LifeCycle::State::on_alone() {
  log::info("takeover: this process answers alone");
  if (const Result<void> expects = expect_successor(true); !expects) {
    log::warn("{}; nobody can take over from this process", expects.error().message);
  }
  mark_staleness();
  announce_ready();
}

Result<void> LifeCycle::State::expect_successor(bool replaces) {
  if (started.takeover_socket.empty()) {
    return {};
  }
  auto listens = TakeoverListener::open(
      context, started.takeover_socket, replaces,
      {.estate = [this] { return estate(); }, .leave = [this](int process) { give_way(process); }});
  if (!listens) {
    return std::unexpected(std::move(listens.error()));
  }
  takeover = std::move(*listens);
  return {};
}

Result<Estate> LifeCycle::State::estate() const {
  if (departure) {  // Sockets are about to be closed.
    return failure(ErrorKind::Exhausted, "this process is ending");
  }
  auto dns = duplicates_of(answering->sockets());
  if (!dns) {
    return std::unexpected(std::move(dns.error()));
  }
  auto probes = duplicates_of(status->sockets());
  if (!probes) {
    return std::unexpected(std::move(probes.error()));
  }
  return Estate{
      .dns = *std::move(dns), .status = *std::move(probes), .secret = answering->own_secret()};
}

void LifeCycle::State::start_successor() {
  if (!takeover || has_given_way || departure) {
    log::warn("SIGUSR2: found no takeoverSocket in use, expected one; nothing is started");
    return;
  }
  if (const auto process = successor.start()) {
    log::info("SIGUSR2: started process {}, which takes over", *process);
  } else {
    log::warn("SIGUSR2: {}", process.error().message);
  }
}

void LifeCycle::State::give_way(int process) {
  log::info("takeover: process {} has taken over; this one ends", process);
  has_given_way = true;
  departure.reset();
  departure_timer.cancel();
  tell(service_manager.tell_main_process(process));
  takeover->tell_left();
  status->stop_listening();
  answering->hand_over([this](OwnedFd connection, std::vector<std::uint8_t> read) {
    boost::asio::post(context,
                      [this, connection = std::move(connection), read = std::move(read)]() mutable {
                        takeover->give(std::move(connection), std::move(read));
                      });
  });
  await_given(std::chrono::steady_clock::now() + config.forward.resolver.query_deadline +
                  started.server.tcp_write_timeout,
              false);
}

// Everything has to be done on two looks in a row, because in between arrives what workers had
// posted: queries to the resolver, and connections to this thread.
void LifeCycle::State::await_given(SteadyTime end, bool was_done) {
  departure_timer.expires_after(DepartureInterval);
  departure_timer.async_wait([this, end, was_done](const boost::system::error_code& ec) {
    if (ec) {
      return;
    }
    const bool is_done = answering->is_drained() && takeover->has_given_all();
    if ((is_done && was_done) || std::chrono::steady_clock::now() >= end) {
      context.stop();
    } else {
      await_given(end, is_done);
    }
  });
}

}  // namespace waypost::ops
