#include "resolver/resolver.h"

#include "dns/name.h"
#include "support/dns_text.h"
#include "support/turned_clock.h"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace waypost::resolver {
namespace {

using namespace std::chrono_literals;

// A resolver whose upstreams answer when the test says so.
class Fixture {
 public:
  explicit Fixture(ResolverOptions options = {}) : resolver(cache, clock, elsewhere(), options) {}

  // Asks; what becomes of it is appended to `told` as "NAME fresh", "NAME stale" or "NAME RCODE".
  void ask(const std::string& name) {
    resolver.resolve(question(name), [this, name](const Resolution& resolution) {
      told.push_back(name + " " +
                     (resolution.answer == nullptr           ? dns::to_text(resolution.rcode)
                      : resolution.ttl == TtlMode::CountDown ? "fresh"
                                                             : "stale"));
    });
  }

  // Completes the oldest question that is under way.
  void answer(const std::string& name, std::uint8_t ttl) {
    std::vector<std::uint8_t> packet = test::make_query({.name = name});
    packet[2] |= 0x80;
    packet[7] = 1;
    const std::vector<std::uint8_t> record = {0xc0, 12,  0, 1, 0,   1, 0, 0,
                                              0,    ttl, 0, 4, 192, 0, 2, 1};
    packet.insert(packet.end(), record.begin(), record.end());
    complete(packet);
  }
  void time_out() {
    complete(std::unexpected(ForwardFailure{FailureKind::Timeout, "10.0.0.1:53"}));
  }
  void refuse() { complete(std::unexpected(ForwardFailure{FailureKind::Overloaded, {}})); }
  std::size_t under_way() const { return asked.size(); }

  // Takes what was told so far.
  std::vector<std::string> news() { return std::exchange(told, {}); }

  static Question question(const std::string& name) {
    Question question{.type = dns::RecordType::A};
    question.name.assign(dns::Name::from_text(name)->wire());
    return question;
  }

  bool has_upstreams = true;
  boost::asio::io_context context;
  test::TurnedClock clock{context};
  AnswerCache cache{1 << 20};
  std::vector<std::function<void(Reply)>> asked;
  bool repeats = false;  // Of the last one.
  std::vector<std::string> told;
  Resolver resolver;

 private:
  Elsewhere elsewhere() {
    return {.ask =
                [this](const Question&, Effort effort, auto done) {
                  asked.push_back(std::move(done));
                  repeats = effort.repeats;
                },
            .can_ask = [this](const Question&) { return has_upstreams; },
            .is_probe = [](const Question&) { return false; }};
  }
  void complete(const Reply& reply) {
    const auto done = asked.front();
    asked.erase(asked.begin());
    done(reply);
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("questions at the same time are one, and all who asked are told") {
  Fixture fixture;
  fixture.ask("a.example.");
  fixture.ask("A.Example.");
  fixture.ask("b.example.");
  CHECK(fixture.under_way() == 2);
  fixture.answer("a.example.", 60);
  CHECK(fixture.news() == Lines{"a.example. fresh", "A.Example. fresh"});
  fixture.ask("a.example.");
  CHECK(fixture.news() == Lines{"a.example. fresh"});
  CHECK(fixture.under_way() == 1);
}

TEST_CASE("what was not asked for want of room is no failure to remember") {
  Fixture fixture;
  fixture.ask("a.example.");
  fixture.refuse();
  fixture.ask("a.example.");
  CHECK(fixture.under_way() == 1);
  CHECK(fixture.news() == Lines{"a.example. SERVFAIL"});
  CHECK(fixture.resolver.counters().overloaded.value() == 1);
}

TEST_CASE("upstreams that are away are asked again unless there is an old answer") {
  Fixture fixture;
  fixture.cache.set_times({.stale = 3600U});
  fixture.ask("a.example.");
  CHECK(fixture.repeats);
  fixture.answer("a.example.", 60);
  fixture.clock.turn(61s);
  fixture.ask("a.example.");
  CHECK_FALSE(fixture.repeats);
}

TEST_CASE("a failure is remembered: one second, then two, four, five") {
  Fixture fixture;
  for (const auto pause : {1s, 2s, 4s, 5s, 5s}) {
    fixture.ask("a.example.");
    REQUIRE(fixture.under_way() == 1);
    fixture.time_out();
    fixture.clock.turn(pause - 1ms);
    fixture.ask("a.example.");
    CHECK(fixture.under_way() == 0);
    CHECK(fixture.news() == Lines{"a.example. SERVFAIL", "a.example. SERVFAIL"});
    fixture.clock.turn(1ms);
  }
}

TEST_CASE("how long a failure is remembered at first can be set") {
  Fixture fixture({.failure_pause = 30s});
  for (int turn = 0; turn < 2; ++turn) {  // Longer than any pause that grows: it stays.
    fixture.ask("a.example.");
    REQUIRE(fixture.under_way() == 1);
    fixture.time_out();
    fixture.clock.turn(30s - 1ms);
    fixture.ask("a.example.");
    CHECK(fixture.under_way() == 0);
    fixture.clock.turn(1ms);
  }
}

TEST_CASE("a flood of failures is swept out once a second, however long it lasts") {
  Failures failures;
  SteadyTime now{};
  const auto fail = [&](std::size_t number) {
    failures.remember(Fixture::question("n" + std::to_string(number) + ".example."), {}, now);
  };
  for (std::size_t i = 0; i < 3 * Failures::MaxEntries; ++i) {
    fail(i);
  }
  CHECK(failures.size() == Failures::MaxEntries);
  CHECK(failures.sweeps() == 1);
  now += 1s;
  fail(0);
  fail(3 * Failures::MaxEntries);
  CHECK(failures.sweeps() == 2);
  CHECK(failures.size() == 2);
  CHECK(failures.find(Fixture::question("n0.example."), now) != nullptr);
}

TEST_CASE("when somebody should be asked and nobody can be, the question fails and says why") {
  Fixture fixture;
  fixture.has_upstreams = false;
  std::vector<std::string> told;
  const auto ask = [&] {
    fixture.resolver.resolve(Fixture::question("a.example."), [&](const Resolution& resolution) {
      told.push_back(dns::to_text(resolution.rcode) + " " + std::string(resolution.text));
    });
  };
  ask();
  fixture.resolver.set_nobody("no server can be asked: /etc/resolv.conf: no such file");
  ask();
  CHECK(told == Lines{"REFUSED no zone here has this name, and no server is asked for it",
                      "SERVFAIL no server can be asked: /etc/resolv.conf: no such file"});
}

TEST_CASE("after 1.8 seconds an expired answer is given, and the new one is still waited for") {
  Fixture fixture;
  fixture.ask("a.example.");
  fixture.answer("a.example.", 10);
  fixture.clock.turn(15s);
  fixture.news();
  fixture.ask("a.example.");
  fixture.clock.turn(1799ms);
  CHECK(fixture.news().empty());
  fixture.clock.turn(1ms);
  CHECK(fixture.news() == Lines{"a.example. stale"});
  fixture.ask("a.example.");
  CHECK(fixture.news() == Lines{"a.example. stale"});
  CHECK(fixture.under_way() == 1);
  fixture.answer("a.example.", 10);
  fixture.ask("a.example.");
  CHECK(fixture.news() == Lines{"a.example. fresh"});
}

TEST_CASE("when upstreams fail, an expired answer is given at once, unless that is switched off") {
  for (const bool serve_stale : {true, false}) {
    CAPTURE(serve_stale);
    Fixture fixture;
    fixture.cache.set_times({.stale = serve_stale ? 3600U : 0U});
    fixture.ask("a.example.");
    fixture.answer("a.example.", 10);
    fixture.clock.turn(15s);
    fixture.news();
    fixture.ask("a.example.");
    fixture.time_out();
    fixture.ask("a.example.");
    CHECK(fixture.news() == (serve_stale ? Lines{"a.example. stale", "a.example. stale"}
                                         : Lines{"a.example. SERVFAIL", "a.example. SERVFAIL"}));
    CHECK(fixture.under_way() == 0);
  }
}

TEST_CASE("past the bounds on questions and on clients that wait, a query fails at once") {
  Fixture fixture({.max_in_flight = 2});
  fixture.ask("a.example.");
  fixture.ask("b.example.");
  fixture.ask("c.example.");
  CHECK(fixture.news() == Lines{"c.example. SERVFAIL"});
  for (std::size_t i = 0; i < 2 * Resolver::WaitersPerFlight - 2; ++i) {
    fixture.ask("a.example.");
  }
  CHECK(fixture.news().empty());
  fixture.ask("a.example.");
  CHECK(fixture.news() == Lines{"a.example. SERVFAIL"});
  CHECK(fixture.resolver.counters().overloaded.value() == 2);
}

TEST_CASE("a popular answer is asked for again once, while there is room for clients' questions") {
  Fixture fixture({.max_in_flight = 4});
  fixture.resolver.refresh(Fixture::question("a.example."));
  fixture.resolver.refresh(Fixture::question("a.example."));
  fixture.resolver.refresh(Fixture::question("b.example."));
  fixture.resolver.refresh(Fixture::question("c.example."));
  CHECK(fixture.under_way() == 2);
  CHECK(fixture.resolver.counters().prefetches.value() == 2);
}

}  // namespace waypost::resolver
