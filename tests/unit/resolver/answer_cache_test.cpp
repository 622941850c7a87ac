#include "resolver/answer_cache.h"

#include "base/rcu.h"
#include "kept_answer.h"
#include "support/skip.h"

#include <doctest/doctest.h>

#include <malloc.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace waypost::resolver {
namespace {

class Fixture : public KeptAnswers {
 public:
  using KeptAnswers::KeptAnswers;
  using KeptAnswers::store;

  void store(const std::string& name, std::uint8_t ttl, std::uint32_t now) {
    store(address_of(name, ttl), false, now);
  }
  AnswerCache::Found find(const std::string& name, std::uint32_t now,
                          dns::RecordType type = dns::RecordType::A) {
    const Question asked = make_question(name, type);
    return cache.find(asked.key(), now);
  }

  static ResponseLines address_of(const std::string& name, unsigned ttl) {
    return {.name = name, .answer = {name + " " + std::to_string(ttl) + " IN A 192.0.2.1"}};
  }
  // The denial of the name, or of its AAAA records.
  static ResponseLines denial_of(const std::string& name, dns::Rcode rcode, unsigned ttl) {
    return {.name = name,
            .type = dns::RecordType::AAAA,
            .rcode = rcode,
            .authority = {"example. " + std::to_string(ttl) +
                          " IN SOA ns.example. admin.example. 1 7200 1800 86400 3600"}};
  }
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

TEST_CASE("that a name does not exist is known for all types; that it has no data, for one") {
  for (const dns::Rcode rcode : {dns::Rcode::NxDomain, dns::Rcode::NoError}) {
    CAPTURE(dns::to_text(rcode));
    const bool is_name_error = rcode == dns::Rcode::NxDomain;
    Fixture fixture(1 << 20);
    fixture.store(Fixture::denial_of("a.example.", rcode, 60));
    CHECK(fixture.find("a.example.", 59, dns::RecordType::AAAA).state == State::Fresh);
    CHECK(fixture.find("a.example.", 59).state == (is_name_error ? State::Fresh : State::Miss));
    CHECK(fixture.find("b.a.example.", 59).state == State::Miss);
    const Question with_proof = make_question("a.example.", dns::RecordType::A, true);
    CHECK(fixture.cache.find(with_proof.key(), 59).state == State::Miss);
  }
}

TEST_CASE("that a CNAME leads to a name that does not exist is known for the type alone") {
  Fixture fixture(1 << 20);
  auto denial = Fixture::denial_of("a.other.", dns::Rcode::NxDomain, 60);
  denial.answer = {"a.other. 60 IN CNAME b.example."};
  fixture.store(denial);
  CHECK(fixture.find("a.other.", 0, dns::RecordType::AAAA).state == State::Fresh);
  CHECK(fixture.find("a.other.", 0, dns::RecordType::CNAME).state == State::Miss);
}

TEST_CASE("of contradictory answers the fresh one counts, and data before a denial") {
  Fixture fixture(1 << 20);
  const auto rcode = [&](std::uint32_t now) {
    const auto found = fixture.find("a.example.", now);
    return found.answer == nullptr ? "none" : dns::to_text(found.answer->rcode());
  };
  fixture.store("a.example.", 20, 0);
  fixture.store(Fixture::denial_of("a.example.", dns::Rcode::NxDomain, 60), false, 0);
  CHECK(fixture.cache.entries() == 2);
  CHECK(rcode(19) == "NOERROR");
  CHECK(rcode(20) == "NXDOMAIN");
  fixture.store("a.example.", 20, 30);  // It exists again.
  CHECK(fixture.cache.entries() == 1);
  CHECK(rcode(30) == "NOERROR");
  CHECK(fixture.find("a.example.", 30, dns::RecordType::AAAA).state == State::Miss);
}

TEST_CASE("TTLs are kept within bounds, but 0") {
  Fixture fixture(1 << 20);
  fixture.cache.set_times({.min_ttl = 30, .max_ttl = 100, .max_negative_ttl = 40, .stale = 10});
  const auto kept_for = [&](const std::string& name, dns::RecordType type) {
    std::uint32_t now = 0;
    while (fixture.find(name, now, type).state == State::Fresh) {
      ++now;
    }
    CHECK(fixture.find(name, now + 9, type).state == (now == 0 ? State::Miss : State::Stale));
    CHECK(fixture.find(name, now + 10, type).state == State::Miss);
    return now;
  };
  const auto address = [&](unsigned ttl) {
    fixture.store(Fixture::address_of("a" + std::to_string(ttl) + ".example.", ttl));
    return kept_for("a" + std::to_string(ttl) + ".example.", dns::RecordType::A);
  };
  const auto denial = [&](unsigned ttl) {
    fixture.store(Fixture::denial_of("d.example.", dns::Rcode::NoError, ttl));
    return kept_for("d.example.", dns::RecordType::AAAA);
  };
  CHECK(address(0) == 0);
  CHECK(address(1) == 30);
  CHECK(address(50) == 50);
  CHECK(address(5000) == 100);
  CHECK(denial(1) == 30);
  CHECK(denial(5000) == 40);
}

TEST_CASE("a name and a zone can be flushed") {
  Fixture fixture(1 << 20);
  const auto fill = [&] {
    for (const char* name : {"example.", "a.example.", "b.a.example.", "aexample.", "a.other."}) {
      fixture.store(name, 60, 0);
    }
    fixture.store(Fixture::denial_of("a.example.", dns::Rcode::NoError, 60));
  };
  fill();
  CHECK(fixture.cache.entries() == 6);
  CHECK(fixture.cache.flush(make_question("a.example.").name, false) == 2);
  CHECK(fixture.find("a.example.", 0).state == State::Miss);
  CHECK(fixture.find("b.a.example.", 0).state == State::Fresh);
  fill();
  CHECK(fixture.cache.flush(make_question("example.").name, true) == 4);
  CHECK(fixture.find("aexample.", 0).state == State::Fresh);
  CHECK(fixture.cache.flush(make_question(".").name, true) == 2);
  CHECK(fixture.cache.entries() == 0);
  CHECK(fixture.cache.flush(make_question(".").name, true) == 0);
}

TEST_CASE("the size that is told is what is allocated, and nothing is before the first answer") {
  const auto before = mallinfo2();
  if (before.uordblks == 0) {
    test::skip("the size of the cache: a sanitizer's allocator is in the place of malloc");
    return;
  }
  Fixture fixture(16 << 20);
  CHECK(fixture.cache.bytes() == 0);
  CHECK(mallinfo2().uordblks + mallinfo2().hblkhd - before.uordblks - before.hblkhd < 200000);
  fixture.store("first.example.", 200, 0);
  const auto first = mallinfo2();
  const std::uint64_t first_bytes = fixture.cache.bytes();
  for (int i = 0; i < 5000; ++i) {
    fixture.store("n" + std::to_string(i) + ".example.", 200, 0);
  }
  const auto after = mallinfo2();
  const auto taken = static_cast<double>(after.uordblks + after.hblkhd) -
                     static_cast<double>(first.uordblks + first.hblkhd);
  const auto told = static_cast<double>(fixture.cache.bytes() - first_bytes);
  CAPTURE(taken);
  CAPTURE(told);
  CHECK(taken < 1.05 * told);
  CHECK(told < 1.05 * taken);
}

TEST_CASE("one reader is told that a popular answer is about to expire") {
  Fixture fixture(1 << 20);
  fixture.store("a.example.", 100, 0);
  for (int use = 0; use < 5; ++use) {
    CHECK_FALSE(fixture.find("a.example.", 50).is_due);
  }
  const auto due = fixture.find("a.example.", 95);
  CHECK(due.is_due);
  CHECK(fixture.find("a.example.", 95).is_due);  // Until somebody does something about it.
  CHECK(due.answer->claim());
  CHECK_FALSE(due.answer->claim());
  CHECK_FALSE(fixture.find("a.example.", 95).is_due);
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
    dns::Rotation rotation(1);
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
        const bool is_written = write_answer(*result.answer, 0, TtlMode::CountDown,
                                             dns::QuestionOffset, rotation, writer);
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
