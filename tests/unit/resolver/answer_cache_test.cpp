#include "resolver/answer_cache.h"

#include "base/rcu.h"
#include "dns/message_writer.h"
#include "dns/name.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace waypost::resolver {
namespace {

Question question(const std::string& name) {
  Question question{.type = dns::RecordType::A};
  question.name.assign(dns::Name::from_text(name)->wire());
  return question;
}

// An A record of `name` with this TTL.
std::vector<std::uint8_t> response(const std::string& name, std::uint8_t ttl) {
  std::vector<std::uint8_t> packet = test::make_query({.name = name});
  packet[2] |= 0x80;
  packet[7] = 1;
  const std::vector<std::uint8_t> record = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, ttl, 0, 4, 192, 0, 2, 1};
  packet.insert(packet.end(), record.begin(), record.end());
  return packet;
}

class Fixture {
 public:
  explicit Fixture(std::size_t bytes) : cache(bytes) {}

  void store(const std::string& name, std::uint8_t ttl, std::uint32_t now) {
    const auto packet = response(name, ttl);
    REQUIRE(dns::read_response(packet, *read));
    cache.store(question(name), packet, *read, now);
  }
  AnswerCache::Found find(const std::string& name, std::uint32_t now) {
    const Question asked = question(name);
    return cache.find({asked.name, asked.type, false, false}, now);
  }

  AnswerCache cache;
  std::unique_ptr<dns::Response> read = std::make_unique<dns::Response>();
};

using State = AnswerCache::State;

}  // namespace

TEST_CASE("an answer is fresh for its TTL, stale for an hour, and then gone") {
  Fixture fixture(1 << 20);
  fixture.store("a.example.", 20, 100);
  CHECK(fixture.find("a.example.", 119).state == State::Fresh);
  CHECK(fixture.find("a.example.", 120).state == State::Stale);
  CHECK(fixture.find("a.example.", 119 + 3600).state == State::Stale);
  CHECK(fixture.find("a.example.", 120 + 3600).state == State::Miss);
  CHECK(fixture.find("b.example.", 100).state == State::Miss);
}

TEST_CASE("an answer with TTL 0 is not kept") {
  Fixture fixture(1 << 20);
  fixture.store("a.example.", 0, 100);
  CHECK(fixture.find("a.example.", 100).state == State::Miss);
  CHECK(fixture.cache.entries() == 0);
}

TEST_CASE("a reader whose clock is a tick behind the writer's finds a new answer fresh") {
  Fixture fixture(1 << 20);
  fixture.store("a.example.", 100, 1000);
  CHECK(fixture.find("a.example.", 999).state == State::Fresh);
}

TEST_CASE("one reader is told that a popular answer is about to expire") {
  Fixture fixture(1 << 20);
  fixture.store("a.example.", 100, 0);
  for (int use = 0; use < 5; ++use) {
    CHECK_FALSE(fixture.find("a.example.", 50).wants_prefetch);
  }
  CHECK(fixture.find("a.example.", 95).wants_prefetch);
  CHECK_FALSE(fixture.find("a.example.", 95).wants_prefetch);
}

TEST_CASE("the cache stays within its size, and what is used survives a scan") {
  constexpr std::size_t Size = 64 << 10;
  Fixture fixture(Size);
  fixture.store("popular.example.", 200, 0);
  std::size_t found = 0;
  for (int i = 0; i < 5000; ++i) {
    fixture.store("n" + std::to_string(i) + ".example.", 200, 0);
    REQUIRE(fixture.cache.bytes() <= Size);
    found += fixture.find("popular.example.", 0).state == State::Fresh ? 1 : 0;
  }
  CHECK(found == 5000);
  CHECK(fixture.cache.evictions() > 4000);
  CHECK(fixture.cache.entries() > 100);
}

TEST_CASE("readers find whole answers while the writer replaces and evicts them") {
  constexpr std::uint32_t Names = 64;
  constexpr int Rounds = 300;
  const auto name_of = [](std::uint32_t i) { return "n" + std::to_string(i) + ".example."; };
  Fixture fixture(8 << 10);  // Less than all of them take.
  std::atomic<bool> is_over{false};
  std::atomic<std::uint64_t> found{0};
  std::atomic<std::uint64_t> wrong{0};
  const auto read = [&] {
    const rcu::ReaderThread registered;
    const auto query = std::make_unique<dns::Query>();
    std::vector<std::uint8_t> out(dns::PlainUdpSize);
    while (!is_over) {
      const rcu::ReadSection section;
      for (std::uint32_t i = 0; i < Names; ++i) {
        const auto request = test::make_query({.name = name_of(i)});
        dns::read_query(request, *query);
        const auto result = fixture.cache.find({query->name, query->type, false, false}, 0);
        if (result.answer == nullptr) {
          continue;
        }
        dns::MessageWriter writer(out);
        writer.start(*query);
        const bool is_written =
            write_answer(*result.answer, 0, TtlMode::CountDown, dns::QuestionOffset, writer);
        // Each name has a TTL of its own.
        const bool is_its = is_written && writer.finish() == request.size() + 16 &&
                            load_u32(out.data() + request.size() + 6) == 100 + i;
        ++(is_its ? found : wrong);
      }
    }
  };
  std::thread first(read);
  std::thread second(read);
  for (int round = 0; round < Rounds || (found < 1000 && round < 100 * Rounds); ++round) {
    for (std::uint32_t i = 0; i < Names; ++i) {
      fixture.store(name_of(i), static_cast<std::uint8_t>(100 + i), 0);
    }
  }
  is_over = true;
  first.join();
  second.join();
  CHECK(found >= 1000);
  CHECK(wrong == 0);
  CHECK(fixture.cache.evictions() > 0);
}

}  // namespace waypost::resolver
