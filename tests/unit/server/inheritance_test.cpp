#include "server/inheritance.h"

#include "unit/server/test_server.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <list>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace waypost::test {
namespace {

using server::Inheritance;
using server::Server;

// As another process would have them.
Inheritance sockets_of(const Server& server) {
  std::vector<OwnedFd> sockets;
  for (const int fd : server.sockets()) {
    sockets.emplace_back(dup(fd));
  }
  return Inheritance(std::move(sockets));
}

bool has_no_connections(const Server& server) {
  const auto end = std::chrono::steady_clock::now() + Patience;
  while (server.open_connections() != 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return server.open_connections() == 0;
}

}  // namespace

TEST_CASE("a server goes on with another one's sockets and connections, whatever its workers") {
  struct Case {
    unsigned before;  // Workers.
    unsigned after;
  };
  for (const auto& [before, after] : {Case{1, 1}, Case{1, 3}, Case{3, 1}, Case{2, 3}, Case{4, 3}}) {
    CAPTURE(before);
    CAPTURE(after);
    TestServer first({.listen = {LoopbackV4, LoopbackV6}, .workers = before});
    std::list<TcpClient> connections;
    for (std::uint16_t i = 0; i < 10; ++i) {
      connections.emplace_back(first.address(i % 2)).send(framed(query(i)));
      CHECK(summary(connections.back().receive()) == std::to_string(i) + " NOERROR 1");
    }
    const Message half = framed(query(77));
    connections.front().send(Bytes(half).first(9));

    Inheritance inheritance = sockets_of(first.server());
    CHECK(inheritance.left().size() == 2);
    const SocketAddress v4 = first.address(0);
    const SocketAddress v6 = first.address(1);
    TestServer second({.listen = {LoopbackV4, v6}, .workers = after}, {}, nullptr, &inheritance);
    CHECK(inheritance.left().empty());
    CHECK(second.server().addresses() == std::vector<SocketAddress>{v4, v6});
    CHECK(second.server().sockets().size() == 4 * std::max<std::size_t>(before, after));

    // While both answer, and while one leaves.
    std::atomic<unsigned> handed_over = 0;
    std::list<UdpClient> udp;
    std::list<TcpClient> tcp;
    for (std::uint16_t i = 0; i < 150; ++i) {
      if (i == 50) {
        first.server().hand_over([&](OwnedFd connection, std::vector<std::uint8_t> read) {
          ++handed_over;
          second.server().adopt(std::move(connection), std::move(read));
        });
      }
      if (i == 100) {
        CHECK(has_no_connections(first.server()));
        first.stop();
      }
      const SocketAddress& address = i % 2 == 0 ? v4 : v6;
      udp.emplace_back(address).send(query(i));
      tcp.emplace_back(address).send(framed(query(i)));
    }
    std::uint16_t id = 0;
    for (UdpClient& client : udp) {
      CHECK(summary(client.receive()) == std::to_string(id++) + " NOERROR 1");
    }
    id = 0;
    for (TcpClient& client : tcp) {
      CHECK(summary(client.receive()) == std::to_string(id++) + " NOERROR 1");
    }
    CHECK(handed_over >= 10);
    connections.front().send(Bytes(half).subspan(9));
    CHECK(summary(connections.front().receive()) == "77 NOERROR 1");
    connections.pop_front();
    for (TcpClient& client : connections) {
      client.send(framed(query(5)));
      CHECK(summary(client.receive()) == "5 NOERROR 1");
    }
  }
}

TEST_CASE("a server that cannot have a new address has taken no query from the other one") {
  TestServer first({.listen = {LoopbackV4}});
  const TestServer busy({.listen = {LoopbackV4}});
  TestCluster cluster;
  std::atomic<bool> has_ended = false;
  unsigned lost = 0;
  std::thread client([&] {
    while (!has_ended) {
      UdpClient each(first.address());
      each.send(query(1));
      lost += each.receive(std::chrono::milliseconds(500)) ? 0 : 1;
    }
  });
  for (int attempt = 0; attempt < 100; ++attempt) {
    Inheritance inheritance = sockets_of(first.server());
    const server::Options options{.listen = {first.address(), busy.address()}, .workers = 8};
    CHECK_FALSE(Server::start(options, cluster.views(), {}, nullptr, &inheritance).has_value());
  }
  has_ended = true;
  client.join();
  CHECK(lost == 0);
}

TEST_CASE("sockets of other addresses are left, and what is no socket of a server is closed") {
  TestServer first({.listen = {LoopbackV4, LoopbackV6}});
  std::vector<OwnedFd> sockets;
  for (const int fd : first.server().sockets()) {
    sockets.emplace_back(dup(fd));
  }
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  sockets.emplace_back(ends[0]);
  sockets.emplace_back(ends[1]);
  sockets.emplace_back(socket(AF_INET, SOCK_STREAM, 0));
  Inheritance inheritance(std::move(sockets));
  CHECK(inheritance.take(first.address(0)).udp.size() == 1);
  CHECK(inheritance.take(first.address(0)).is_empty());
  CHECK(inheritance.left() == std::vector<SocketAddress>{first.address(1)});

  // One protocol alone would have the other one's clients wait for ever.
  std::vector<OwnedFd> half;
  half.emplace_back(dup(first.server().sockets().front()));
  Inheritance udp_only(std::move(half));
  TestCluster cluster;
  const auto started =
      Server::start({.listen = {first.address(0)}}, cluster.views(), {}, nullptr, &udp_only);
  REQUIRE(!started.has_value());
  CHECK(started.error().message ==
        "cannot listen on " + first.address(0).to_text() +
            ": found inherited sockets of UDP and TCP in different numbers");
}

}  // namespace waypost::test
