#include "server/socket.h"
#include "unit/server/test_server.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <list>
#include <thread>
#include <vector>

namespace waypost::test {
namespace {

using server::Counters;
using server::Server;

TEST_CASE("port 0 becomes one free port for UDP and TCP") {
  TestServer server({.listen = {LoopbackV4, LoopbackV6}, .workers = 3});
  for (const std::size_t listener : {0U, 1U}) {
    CHECK(server.address(listener).port != 0);
    UdpClient udp(server.address(listener));
    udp.send(query(1));
    CHECK(summary(udp.receive()) == "1 NOERROR 1");
    TcpClient tcp(server.address(listener));
    tcp.send(framed(query(2)));
    CHECK(summary(tcp.receive()) == "2 NOERROR 1");
  }
}

TEST_CASE("[::] can be left out where 0.0.0.0 with the same port is there, and nothing else can") {
  struct Case {
    const char* address;
    std::vector<const char*> all;
    bool is_dispensable;
  };
  for (const auto& [address, all, expected] : {
           Case{"[::]:53", {"0.0.0.0:53", "[::]:53"}, true},
           Case{"[::]:53", {"[::]:53", "0.0.0.0:53"}, true},
           Case{"[::]:53", {"[::]:53"}, false},
           Case{"[::]:53", {"[::]:53", "0.0.0.0:54"}, false},
           Case{"[::]:53", {"[::]:53", "127.0.0.1:53"}, false},
           Case{"[::1]:53", {"0.0.0.0:53", "[::1]:53"}, false},
           Case{"0.0.0.0:53", {"0.0.0.0:53", "[::]:53"}, false},
           Case{"127.0.0.1:53", {"0.0.0.0:53", "127.0.0.1:53"}, false},
       }) {
    std::vector<SocketAddress> others;
    for (const char* other : all) {
      others.push_back(*SocketAddress::from_text(other));
    }
    CAPTURE(address);
    CHECK(server::is_dispensable(*SocketAddress::from_text(address), others) == expected);
  }
  CHECK(server::has_ipv6());  // The tests of this room listen on [::1].
}

TEST_CASE("a port in use is an error that names address and protocol") {
  struct Case {
    unsigned has;    // Workers of the server that has the port.
    unsigned wants;  // Workers of the server that wants it.
  };
  for (const auto& [has, wants] : {Case{1, 1}, Case{2, 1}, Case{1, 2}, Case{2, 2}}) {
    TestServer first({.workers = has});
    TestCluster cluster;
    const auto second =
        Server::start({.listen = {first.address()}, .workers = wants}, cluster.views(), {});
    REQUIRE(!second.has_value());
    CHECK(second.error().kind == ErrorKind::System);
    CHECK(second.error().message ==
          "cannot listen on " + first.address().to_text() + " (UDP): Address already in use");
  }
}

TEST_CASE("an address that is not local is an error that names it") {
  TestCluster cluster;
  const SocketAddress foreign{IpAddress::v4(192, 0, 2, 1), 5353};
  const auto server = Server::start({.listen = {foreign}}, cluster.views(), {});
  REQUIRE(!server.has_value());
  CHECK(server.error().message ==
        "cannot listen on 192.0.2.1:5353 (UDP): Cannot assign requested address");
}

TEST_CASE("the same address twice is an error") {
  TestServer first;
  const SocketAddress address = first.address();
  first.stop();
  TestCluster cluster;
  const auto server = Server::start({.listen = {address, address}}, cluster.views(), {});
  CHECK(!server.has_value());
}

TEST_CASE("workers share the clients of a port, and each client gets its answer") {
  TestServer server({.workers = 4});
  std::list<UdpClient> udp;
  std::list<TcpClient> tcp;
  for (std::uint16_t i = 0; i < 100; ++i) {
    udp.emplace_back(server.address()).send(query(i));
    tcp.emplace_back(server.address()).send(framed(query(i)));
  }
  std::uint16_t id = 0;
  for (UdpClient& client : udp) {
    CHECK(summary(client.receive()) == std::to_string(id++) + " NOERROR 1");
  }
  id = 0;
  for (TcpClient& client : tcp) {
    CHECK(summary(client.receive()) == std::to_string(id++) + " NOERROR 1");
  }
  for (const Counters* counters : server.server().counters()) {
    CHECK(counters->udp_queries() > 0);
    CHECK(counters->tcp_queries() > 0);
  }
}

TEST_CASE("a busy server stops at once and gives its port back") {
  server::TransferSource never_done = [](auto, auto) {};
  TestServer server({.workers = 2}, never_done);
  const SocketAddress address = server.address();

  std::atomic<bool> done = false;
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([&] {
      UdpClient udp(address);
      while (!done) {
        udp.send(query(1));
      }
    });
  }
  TcpClient idle(address);
  TcpClient half(address);
  half.send(Message{0, 40, 1});
  TcpClient deaf(address, 4096);
  for (std::uint16_t i = 0; i < 64; ++i) {
    deaf.send(framed(query(i, "big.example.test.", dns::RecordType::TXT)));
  }
  TcpClient transfer(address);
  transfer.send(framed(query(1, "example.test.", dns::RecordType::AXFR)));
  CHECK(server.reaches(&Counters::transfers, 1));
  CHECK(server.reaches(&Counters::udp_queries, 1000));

  const auto before = std::chrono::steady_clock::now();
  server.stop();
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(2));
  done = true;
  for (std::thread& client : clients) {
    client.join();
  }
  CHECK(idle.is_closed());
  CHECK(half.is_closed());
  CHECK(transfer.is_closed());

  TestServer next({.listen = {address}});
  TcpClient client(address);
  client.send(framed(query(9)));
  CHECK(summary(client.receive()) == "9 NOERROR 1");
}

}  // namespace
}  // namespace waypost::test
