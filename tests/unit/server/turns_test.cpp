// Who waits for whom on one worker, counted in answers, not in time: the test takes every turn.

#include "unit/server/inline_worker.h"
#include "unit/server/test_client.h"
#include "unit/server/test_server.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <list>
#include <optional>

namespace waypost::test {
namespace {

// Answers of one turn, as server/udp_worker.h and server/tcp_session.h have it.
constexpr std::uint64_t UdpTurn = 4 * server::UdpBatch::Size;
constexpr std::uint64_t TcpTurn = 64;
// A turn until the waiting side is seen, and one that was under way.
constexpr std::uint64_t TurnsToWait = 2;
constexpr std::uint64_t MaxSteps = 1000;

const Message& request() {
  static const Message message = query(1, "none.cluster.local.");
  return message;
}

// Asks without end, and looks at no answer.
class UdpFlood {
 public:
  explicit UdpFlood(const SocketAddress& server) : client_(server) {}
  // More than a turn takes.
  void fill() {
    for (std::uint64_t i = 0; i < UdpTurn + 10; ++i) {
      client_.send(request());
    }
  }

 private:
  UdpClient client_;
};

// The same on a connection, whose answers it takes.
class TcpFlood {
 public:
  explicit TcpFlood(const SocketAddress& server) : client_(server) {
    for (std::uint64_t i = 0; i < 4 * TcpTurn; ++i) {
      const Message one = framed(request());
      octets_.insert(octets_.end(), one.begin(), one.end());
    }
  }
  void fill() {
    while (client_.try_receive_some(1U << 16)) {
    }
    at_ = (at_ + client_.try_send(Bytes(octets_).subspan(at_))) % octets_.size();
  }

 private:
  TcpClient client_;
  Message octets_;
  std::size_t at_ = 0;
};

TEST_CASE("a TCP client has its turn while UDP queries come without end") {
  InlineWorker worker;
  UdpFlood flood(worker.udp_address());
  TcpClient client(worker.tcp_address());
  for (int round = 0; round < 20; ++round) {
    flood.fill();
    client.send(framed(request()));
    const std::uint64_t before = worker.counters().udp_queries();
    const std::uint64_t answered = worker.counters().tcp_queries();
    std::uint64_t steps = 0;
    for (; worker.counters().tcp_queries() == answered && steps < MaxSteps; ++steps) {
      worker.step();
      flood.fill();
    }
    REQUIRE(steps < MaxSteps);
    // The first query waits for its connection to be accepted, too.
    CHECK(worker.counters().udp_queries() - before <=
          (TurnsToWait + (round == 0 ? 1 : 0)) * UdpTurn);
    CHECK(client.receive());
  }
  CHECK(worker.counters().udp_queries() > 20 * UdpTurn);
}

TEST_CASE("a UDP client has its turn while TCP clients pipeline without end") {
  InlineWorker worker;
  constexpr std::uint64_t Floods = 3;
  std::list<TcpFlood> floods;
  for (std::uint64_t i = 0; i < Floods; ++i) {
    floods.emplace_back(worker.tcp_address()).fill();
  }
  UdpClient client(worker.udp_address());
  for (int round = 0; round < 20; ++round) {
    // Busy: each connection has answered some.
    const std::uint64_t started = worker.counters().tcp_queries();
    for (std::uint64_t i = 0;
         worker.counters().tcp_queries() < started + 2 * Floods * TcpTurn && i < MaxSteps; ++i) {
      worker.step();
      for (TcpFlood& flood : floods) {
        flood.fill();
      }
    }
    client.send(request());
    const std::uint64_t before = worker.counters().tcp_queries();
    const std::uint64_t answered = worker.counters().udp_queries();
    std::uint64_t steps = 0;
    for (; worker.counters().udp_queries() == answered && steps < MaxSteps; ++steps) {
      worker.step();
      for (TcpFlood& flood : floods) {
        flood.fill();
      }
    }
    REQUIRE(steps < MaxSteps);
    CHECK(worker.counters().tcp_queries() - before <= TurnsToWait * Floods * TcpTurn);
    CHECK(client.receive());
  }
}

TEST_CASE("a connection that pipelines without end holds up no other connection") {
  InlineWorker worker;
  TcpFlood flood(worker.tcp_address());
  TcpClient client(worker.tcp_address());
  flood.fill();
  for (int round = 0; round < 20; ++round) {
    client.send(framed(request()));
    const std::uint64_t before = worker.counters().tcp_queries();
    std::optional<Message> answer;
    std::uint64_t steps = 0;
    for (; !answer && steps < MaxSteps; ++steps) {
      worker.step();
      flood.fill();
      answer = client.try_receive_some(512);
    }
    REQUIRE(answer);
    CHECK(worker.counters().tcp_queries() - before <=
          (TurnsToWait + (round == 0 ? 1 : 0)) * TcpTurn + 1);
  }
}

}  // namespace
}  // namespace waypost::test
