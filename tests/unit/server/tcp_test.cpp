#include "unit/server/test_server.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <list>
#include <thread>
#include <vector>

namespace waypost::test {
namespace {

using dns::RecordType;
using server::Counters;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

Message pipelined(std::uint16_t count) {
  Message octets;
  for (std::uint16_t id = 0; id < count; ++id) {
    const Message one = framed(query(id, id % 2 == 0 ? "www.example.test." : "none.example.test."));
    octets.insert(octets.end(), one.begin(), one.end());
  }
  return octets;
}

void expect_pipelined(TcpClient& client, std::uint16_t count) {
  for (std::uint16_t id = 0; id < count; ++id) {
    CHECK(summary(client.receive()) ==
          std::to_string(id) + (id % 2 == 0 ? " NOERROR 1" : " NXDOMAIN 0"));
  }
}

TEST_CASE("a TCP query is answered on both families, and the connection stays") {
  TestServer server({.listen = {LoopbackV4, LoopbackV6}});
  for (const std::size_t listener : {0U, 1U}) {
    TcpClient client(server.address(listener));
    for (std::uint16_t id = 7; id < 10; ++id) {
      CHECK(client.send(framed(query(id))));
      CHECK(summary(client.receive()) == std::to_string(id) + " NOERROR 1");
    }
  }
  CHECK(server.count(&Counters::tcp_queries) == 6);
  CHECK(server.count(&Counters::tcp_connections) == 2);
}

TEST_CASE("length and answer arrive together") {
  TestServer server;
  TcpClient client(server.address());
  client.send(framed(query(1)));
  const std::optional<Message> octets = client.receive_some(1000);
  REQUIRE(octets);
  CHECK(octets->size() == std::size_t{2} + load_u16(octets->data()));
}

TEST_CASE("pipelined queries are all answered, whatever the bound on a pipeline") {
  for (const unsigned bound : {0U, 1U, 7U, 64U, 1000U}) {
    INFO("max_tcp_pipeline ", bound);
    TestServer server({.max_tcp_pipeline = bound});
    TcpClient client(server.address());
    CHECK(client.send(pipelined(1000)));
    expect_pipelined(client, 1000);
  }
}

TEST_CASE("a client that finishes sending still gets its answers") {
  TestServer server;
  TcpClient client(server.address());
  client.send(pipelined(100));
  client.finish();
  expect_pipelined(client, 100);
  CHECK(client.is_closed());
  CHECK(server.count(&Counters::tcp_timeouts) == 0);
}

TEST_CASE("a server that drains answers what has arrived, ends connections, and takes no more") {
  TestServer server({.tcp_idle_timeout = std::chrono::hours(1)});
  TcpClient idle(server.address());
  TcpClient busy(server.address());
  idle.send(framed(query(1)));
  CHECK(summary(idle.receive()) == "1 NOERROR 1");
  busy.send(pipelined(300));
  server.server().drain_tcp();  // Whether or not it has been accepted.
  CHECK(idle.is_closed());
  expect_pipelined(busy, 300);
  CHECK(busy.is_closed());
  for (int i = 0; i < 5000 && server.server().open_connections() != 0; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  CHECK(server.server().open_connections() == 0);

  UdpClient udp(server.address());
  udp.send(query(5));
  CHECK(summary(udp.receive()) == "5 NOERROR 1");
}

TEST_CASE("queries that come octet by octet are answered") {
  TestServer server;
  TcpClient client(server.address());
  for (const std::uint8_t octet : pipelined(2)) {
    client.send({&octet, 1});
  }
  expect_pipelined(client, 2);
}

TEST_CASE("queries are answered wherever the stream is cut") {
  TestServer server;
  TcpClient client(server.address());
  const Message octets = pipelined(2);
  for (std::size_t cut = 1; cut < octets.size(); ++cut) {
    INFO("cut at ", cut);
    client.send(Bytes(octets).first(cut));
    if (cut % 8 == 0) {  // Time for the server to see the first part alone.
      std::this_thread::sleep_for(milliseconds(1));
    }
    client.send(Bytes(octets).subspan(cut));
    expect_pipelined(client, 2);
  }
}

TEST_CASE("long answers come whole, also to a client that reads slowly") {
  TestServer server;
  TcpClient client(server.address(), 4096);
  for (std::uint16_t id = 0; id < 20; ++id) {
    client.send(framed(query(id, "big.example.test.", RecordType::TXT)));
  }
  for (std::uint16_t id = 0; id < 20; ++id) {
    CHECK(summary(client.receive()) == std::to_string(id) + " NOERROR 240");
  }
}

TEST_CASE("a connection is closed once it has been idle, and not before") {
  TestServer server({.tcp_idle_timeout = milliseconds(200)});
  TcpClient idle(server.address());
  TcpClient active(server.address());
  const auto start = steady_clock::now();
  std::uint16_t id = 0;
  while (steady_clock::now() - start < milliseconds(400)) {
    active.send(framed(query(++id)));
    CHECK(summary(active.receive()) == std::to_string(id) + " NOERROR 1");
    std::this_thread::sleep_for(milliseconds(20));
  }
  CHECK(idle.is_closed());
  CHECK(server.count(&Counters::tcp_timeouts) == 1);
  CHECK(active.is_closed());
  CHECK(server.count(&Counters::tcp_timeouts) == 2);
}

TEST_CASE("octets that never make a message do not keep a connection open") {
  TestServer server({.tcp_idle_timeout = milliseconds(100)});
  TcpClient client(server.address());
  const auto start = steady_clock::now();
  bool open = client.send(Message{0x0f, 0xff});  // A message of 4095 octets is to come.
  while (open && steady_clock::now() - start < Patience) {
    std::this_thread::sleep_for(milliseconds(5));
    open = client.send(Message{0});
  }
  CHECK(!open);
  CHECK(steady_clock::now() - start >= milliseconds(100));
  CHECK(server.count(&Counters::tcp_timeouts) == 1);
}

TEST_CASE("a client that takes no answers is closed, and meanwhile others are answered") {
  TestServer server({.tcp_write_timeout = milliseconds(100)});
  TcpClient deaf(server.address(), 4096);
  std::uint16_t id = 0;
  const auto start = steady_clock::now();
  bool open = true;
  while (open && steady_clock::now() - start < Patience) {
    for (int i = 0; open && i < 100; ++i) {
      open = deaf.send(framed(query(++id, "big.example.test.", RecordType::TXT)));
    }
    UdpClient udp(server.address());
    udp.send(query(1));
    CHECK(summary(udp.receive()) == "1 NOERROR 1");
    open = open && server.count(&Counters::tcp_timeouts) == 0;
  }
  CHECK(server.count(&Counters::tcp_timeouts) == 1);
  CHECK(server.reaches(&Counters::send_failures, 1));
}

TEST_CASE("what is no query closes the connection, after the answers before it") {
  Message response = query(2);
  response[2] |= 0x80;
  struct Case {
    const char* what;
    Message octets;
  };
  const std::vector<Case> cases = {
      {"an empty message", {0, 0}},
      {"less than a header", framed(Message(11))},
      {"a response", framed(response)},
      {"more than a query can be", {0x10, 0x01}},
      {"HTTP", {'G', 'E', 'T', ' ', '/', ' ', 'H', 'T', 'T', 'P'}},
  };
  for (const auto& [what, octets] : cases) {
    INFO(what);
    TestServer server;
    TcpClient client(server.address());
    Message stream = framed(query(1));
    stream.insert(stream.end(), octets.begin(), octets.end());
    client.send(stream);
    CHECK(summary(client.receive()) == "1 NOERROR 1");
    CHECK(client.is_closed());
    CHECK(server.count(&Counters::dropped) == 1);
  }
}

TEST_CASE("a malformed query over TCP is answered with FORMERR, and the connection stays") {
  TestServer server;
  TcpClient client(server.address());
  Message malformed = query(1);
  malformed.push_back(0);
  client.send(framed(malformed));
  CHECK(summary(client.receive()) == "1 FORMERR 0");
  client.send(framed(query(2)));
  CHECK(summary(client.receive()) == "2 NOERROR 1");
}

TEST_CASE("connections beyond the bound are closed at once, until one of the others ends") {
  TestServer server({.workers = 2, .max_tcp_connections = 3});
  std::list<TcpClient> clients;
  for (std::uint16_t id = 0; id < 3; ++id) {
    TcpClient& client = clients.emplace_back(server.address());
    client.send(framed(query(id)));
    CHECK(summary(client.receive()) == std::to_string(id) + " NOERROR 1");
  }
  CHECK(TcpClient(server.address()).is_closed());
  CHECK(server.count(&Counters::tcp_refused) == 1);

  clients.pop_front();
  const auto start = steady_clock::now();
  std::string answer = "nothing";
  while (answer == "nothing" && steady_clock::now() - start < Patience) {
    TcpClient client(server.address());
    client.send(framed(query(9)));
    answer = summary(client.receive());
  }
  CHECK(answer == "9 NOERROR 1");
}

// ---------------------------------------------------------------------------------------------------
// Out of descriptors

// Leaves the process `count` more descriptors, until its end.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(unsigned count) {
    const Descriptor next(dup(STDERR_FILENO));
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit limit{static_cast<rlim_t>(next.get()) + count, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  ~DescriptorLimit() { setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

 private:
  rlimit before_{};
};

TEST_CASE(
    "out of descriptors, a worker goes on without spinning, and accepts once there are some") {
  TestServer server;
  UdpClient udp(server.address());
  TcpClient before_limit(
      server.address());  // The worker's thread has now opened all that it needs.
  before_limit.send(framed(query(0)));
  CHECK(summary(before_limit.receive()) == "0 NOERROR 1");
  std::optional<DescriptorLimit> limit(1);
  TcpClient client(server.address());  // Takes the last one: its connection cannot be accepted.

  const milliseconds before = cpu_time();
  std::this_thread::sleep_for(milliseconds(200));
  CHECK(cpu_time() - before < milliseconds(100));
  udp.send(query(1));
  CHECK(summary(udp.receive()) == "1 NOERROR 1");
  CHECK(server.count(&Counters::tcp_connections) == 1);

  limit.reset();
  client.send(framed(query(2)));
  CHECK(summary(client.receive()) == "2 NOERROR 1");
}

}  // namespace
}  // namespace waypost::test
