#include "unit/server/test_server.h"

#include <doctest/doctest.h>

#include <chrono>
#include <set>
#include <thread>
#include <vector>

namespace waypost::test {
namespace {

using dns::RecordType;
using server::Counters;
using std::chrono::milliseconds;

TEST_CASE("a UDP query is answered on both families") {
  TestServer server({.listen = {LoopbackV4, LoopbackV6}});
  for (const std::size_t listener : {0U, 1U}) {
    struct Case {
      const char* name;
      RecordType type;
      const char* expected;
    };
    for (const Case& asks : {Case{"www.example.test.", RecordType::A, "7 NOERROR 1"},
                             Case{"www.example.test.", RecordType::AAAA, "7 NOERROR 0"},
                             Case{"none.example.test.", RecordType::A, "7 NXDOMAIN 0"},
                             Case{"www.example.org.", RecordType::A, "7 REFUSED 0"}}) {
      INFO(server.address(listener).to_text(), " ", asks.name);
      UdpClient client(server.address(listener));
      client.send(query(7, asks.name, asks.type));
      CHECK(summary(client.receive()) == asks.expected);
    }
  }
}

TEST_CASE("every query of a burst is answered, also one that is longer than a batch") {
  TestServer server;
  UdpClient client(server.address());
  std::multiset<std::string> expected;
  for (std::uint16_t id = 0; id < 500; ++id) {
    client.send(query(id, id % 2 == 0 ? "www.example.test." : "none.example.test."));
    expected.insert(std::to_string(id) + (id % 2 == 0 ? " NOERROR 1" : " NXDOMAIN 0"));
  }
  std::multiset<std::string> got;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    got.insert(summary(client.receive()));
  }
  CHECK(got == expected);
  CHECK(server.count(&Counters::udp_queries) == 500);
  CHECK(server.count(&Counters::send_failures) == 0);
}

// What comes all at once makes a socket busy, so that it leaves the reactor.
TEST_CASE("after a burst a worker waits without spinning, and answers what comes then") {
  TestServer server({.listen = {LoopbackV4, LoopbackV6}});
  UdpClient client(server.address());
  for (int round = 0; round < 3; ++round) {
    for (std::uint16_t id = 0; id < 300; ++id) {
      client.send(query(id));
    }
    for (int i = 0; i < 300; ++i) {
      REQUIRE(client.receive());
    }
    const milliseconds before = cpu_time();
    std::this_thread::sleep_for(milliseconds(100));
    CHECK(cpu_time() - before < milliseconds(50));
    for (const std::size_t listener : {0U, 1U}) {
      UdpClient later(server.address(listener));
      later.send(query(1000));
      CHECK(summary(later.receive()) == "1000 NOERROR 1");
    }
  }
}

TEST_CASE("what the kernel grants of a buffer is known, whether it is all or not") {
  CHECK(TestServer({.udp_buffer_size = 100000}).server().receive_buffer() == 100000);
  // No socket can have as much (INT_MAX / 2).
  constexpr unsigned TooMuch = 1U << 30;
  CHECK(TestServer({.workers = 2, .udp_buffer_size = TooMuch}).server().receive_buffer() < TooMuch);
}

TEST_CASE("what a full socket buffer has no room for is counted, and all else is answered") {
  TestServer server({.udp_buffer_size = 1});  // The kernel makes it its least, some five datagrams.
  UdpClient client(server.address());
  std::uint64_t sent = 0;
  while (server.count(&Counters::receive_drops) == 0 && sent < 1'000'000) {
    for (int i = 0; i < 1000; ++i, ++sent) {
      client.send(query(1));
    }
  }
  while (client.receive(milliseconds(50))) {
  }
  CHECK(server.count(&Counters::receive_drops) > 0);
  CHECK(server.count(&Counters::udp_queries) + server.count(&Counters::receive_drops) == sent);
}

TEST_CASE("a server ends while its sockets are busy") {
  for (int round = 0; round < 20; ++round) {
    TestServer server;
    UdpClient client(server.address());
    for (std::uint16_t id = 0; id < 200; ++id) {
      client.send(query(id));
    }
    CHECK(client.receive());
    server.stop();
  }
}

TEST_CASE("a socket on the unspecified address answers from the address that was asked") {
  TestServer server({.listen = {{IpAddress::v4(0, 0, 0, 0), 0}, {IpAddress(), 0}}});
  struct Case {
    const char* asks;
    std::size_t listener;
  };
  for (const auto& [asks, listener] :
       {Case{"127.0.0.1", 0}, Case{"127.0.0.2", 0}, Case{"127.1.2.3", 0}, Case{"::1", 1}}) {
    INFO(asks);
    UdpClient client({*IpAddress::from_text(asks), server.address(listener).port});
    client.send(query(1));
    client.send(query(2));
    CHECK(summary(client.receive()) == "1 NOERROR 1");
    CHECK(summary(client.receive()) == "2 NOERROR 1");
  }
}

TEST_CASE("an IPv6 socket on the unspecified address takes no IPv4") {
  TestServer server({.listen = {{IpAddress(), 0}}});
  UdpClient client({IpAddress::v4(127, 0, 0, 1), server.address().port});
  client.send(query(1));
  CHECK(summary(client.receive(milliseconds(50))) == "nothing");
}

TEST_CASE("datagrams that no answer fits are dropped and counted, and the next is answered") {
  TestServer server;
  UdpClient client(server.address());
  Message response = query(2);
  response[2] |= 0x80;
  const std::vector<Message> dropped = {{}, Message(11), response, Message(4097), Message(65507)};
  for (const Message& datagram : dropped) {
    client.send(datagram);
  }
  client.send(query(3));
  CHECK(summary(client.receive()) == "3 NOERROR 1");
  CHECK(server.count(&Counters::dropped) == dropped.size());
  CHECK(server.count(&Counters::udp_queries) == dropped.size() + 1);
}

TEST_CASE("garbage over UDP is answered with FORMERR or not at all, and the next is answered") {
  TestServer server;
  UdpClient client(server.address());
  std::uint32_t random = 1;
  for (std::size_t size = 12; size < 600; ++size) {
    Message garbage(size);
    for (std::uint8_t& octet : garbage) {
      random = random * 1664525 + 1013904223;
      octet = static_cast<std::uint8_t>(random >> 24);
    }
    garbage[0] = 0xff;  // An id that no query below has.
    client.send(garbage);
  }
  client.send(query(3));
  std::optional<Message> response;
  do {
    response = client.receive();
  } while (response && response->at(0) == 0xff);
  CHECK(summary(response) == "3 NOERROR 1");
}

TEST_CASE("an answer that is too long for UDP comes truncated") {
  TestServer server;
  UdpClient client(server.address());
  client.send(query(1, "big.example.test.", RecordType::TXT));
  const std::optional<Message> response = client.receive();
  REQUIRE(response);
  CHECK(response->size() <= 512);
  CHECK(response_text(*response).flags.find("tc") != std::string::npos);
  CHECK(server.count(&Counters::truncated) == 1);
}

TEST_CASE("clients that are gone do not keep others from being answered") {
  TestServer server;
  for (int i = 0; i < 200; ++i) {
    UdpClient(server.address()).send(query(1));
  }
  UdpClient client(server.address());
  client.send(query(2));
  CHECK(summary(client.receive()) == "2 NOERROR 1");
}

}  // namespace
}  // namespace waypost::test
