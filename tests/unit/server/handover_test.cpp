#include "resolver/answer_cache.h"
#include "server/handover_ring.h"
#include "unit/server/test_server.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace waypost::test {
namespace {

using server::Counters;
using server::HandoverRing;
using server::ReturnPath;

Message message_of(std::uint32_t number, std::size_t size) {
  Message message(size, static_cast<std::uint8_t>(number));
  store_u32(message.data(), number);
  return message;
}

bool push(HandoverRing& ring, std::uint32_t number, std::size_t size) {
  return ring.push(ReturnPath{.fd = static_cast<int>(number)}, message_of(number, size));
}

// Takes what is there, and checks that it goes on from `next`.
void expect_from(HandoverRing& ring, std::uint32_t& next) {
  ring.drain([&](const ReturnPath& path, Bytes request) {
    CHECK(load_u32(request.data()) == next);
    CHECK(path.fd == static_cast<int>(next));
    CHECK(std::ranges::equal(request, message_of(next, request.size())));
    ++next;
  });
}

TEST_CASE("the ring hands over what was pushed, in order, however often it goes round") {
  HandoverRing ring;
  std::uint32_t next = 0;
  for (std::uint32_t number = 0; number < 20000; ++number) {
    REQUIRE(push(ring, number, 4 + number * 37 % 4093));
    if (number % 7 == 0) {
      expect_from(ring, next);
    }
  }
  expect_from(ring, next);
  CHECK(next == 20000);
}

TEST_CASE("a full ring refuses, and has room again once it was read") {
  HandoverRing ring;
  std::uint32_t next = 0;
  for (std::uint32_t number = 0; number < 100000;) {
    const std::uint32_t first = number;
    while (push(ring, number, 4 + number % 500)) {
      ++number;
    }
    CHECK(number - first > 500);
    CHECK(number - first < HandoverRing::Capacity / sizeof(ReturnPath));
    expect_from(ring, next);
    CHECK(next == number);
  }
}

TEST_CASE("one thread reads the ring while another one writes") {
  constexpr std::uint32_t Count = 20000;
  HandoverRing ring;
  std::thread writer([&ring] {
    for (std::uint32_t number = 0; number < Count;) {
      if (push(ring, number, 4 + number % 300)) {
        ++number;
      } else {
        std::this_thread::yield();
      }
    }
  });
  const auto deadline = std::chrono::steady_clock::now() + 6 * Patience;
  std::uint32_t next = 0;
  while (next < Count && std::chrono::steady_clock::now() < deadline) {
    expect_from(ring, next);
  }
  writer.join();
  CHECK(next == Count);
}

TEST_CASE("a query that cannot be handed over fails at once and is counted, over UDP and TCP") {
  const resolver::AnswerCache cache(0);
  TestServer server({}, {}, &cache);
  UdpClient udp(server.address());
  udp.send(query(7, "www.example.org."));
  CHECK(summary(udp.receive()) == "7 SERVFAIL 0");
  CHECK(server.count(&Counters::handover_refused) == 1);
  TcpClient tcp(server.address());
  CHECK(tcp.send(framed(query(8, "www.example.org."))));
  CHECK(summary(tcp.receive()) == "8 SERVFAIL 0");
  CHECK(server.count(&Counters::handover_refused) == 2);
  CHECK(server.count(&Counters::cache_misses) == 2);
}

}  // namespace
}  // namespace waypost::test
