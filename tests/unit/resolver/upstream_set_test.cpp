#include "forwarder_fixture.h"

#include "resolver/health.h"
#include "resolver/inquiry.h"
#include "resolver/upstream.h"
#include "resolver/upstream_set.h"

#include <algorithm>
#include <set>

namespace waypost::resolver {
namespace {

using test::answer_to;
using test::error_to;
using test::hold;
using test::no_name;
using test::say;

DnsAdversary::Respond always(unsigned rcode) {
  return [rcode](const DnsQuestion& question) { return DnsScript{say(error_to(question, rcode))}; };
}

DnsScript say_nothing(const DnsQuestion&) {
  return {};
}

DnsAdversary::Respond hold_address(std::string_view address) {
  return [address](const DnsQuestion& question) {
    return DnsScript{hold(answer_to(question, address))};
  };
}

class SetFixture : public ForwarderFixture {
 public:
  DnsAdversary first{context};
  DnsAdversary second{context};
  DnsAdversary third{context};

  SetFixture() {
    second.set_respond([](const DnsQuestion& question) {
      return DnsScript{say(answer_to(question, "192.0.2.2"))};
    });
    third.set_respond([](const DnsQuestion& question) {
      return DnsScript{say(answer_to(question, "192.0.2.3"))};
    });
  }
  void use_two() { use({first.address(), second.address()}); }
  void use_three() { use({first.address(), second.address(), third.address()}); }
};

// ---------------------------------------------------------------------------------------------
// Who is asked.

TEST_CASE_FIXTURE(SetFixture, "sequential asks the first, as long as it is good") {
  use_three();
  for (int i = 0; i < 5; ++i) {
    CHECK(ask_now() == "192.0.2.1");
  }
  CHECK(second.questions().empty());
}

TEST_CASE_FIXTURE(SetFixture, "when what one says cannot be read, the next one is asked") {
  first.set_respond([](const DnsQuestion& question) {
    Octets octets = answer_to(question);
    const std::size_t record = 12 + question.name.size() + 1 + 4;
    octets[record + 11] = 5;  // An address of five octets.
    octets.insert(octets.begin() + static_cast<std::ptrdiff_t>(record) + 12, 192);
    return question.over_stream ? DnsScript{say(octets)}
                                : DnsScript{say(octets), say(octets), say(octets)};
  });
  use_two();
  CHECK(ask_now() == "192.0.2.2");
  CHECK(report().counters.mismatches == 4);
}

TEST_CASE_FIXTURE(SetFixture, "round robin asks one after the other") {
  options.policy = Policy::RoundRobin;
  use_three();
  CHECK(ask_now() == "192.0.2.1");
  CHECK(ask_now() == "192.0.2.2");
  CHECK(ask_now() == "192.0.2.3");
  CHECK(ask_now() == "192.0.2.1");
}

TEST_CASE_FIXTURE(SetFixture, "random asks all about equally") {
  options.policy = Policy::Random;
  use_three();
  for (int i = 0; i < 300; ++i) {
    ask_now();
  }
  for (const DnsAdversary* upstream : {&first, &second, &third}) {
    CHECK(upstream->questions().size() > 70);
    CHECK(upstream->questions().size() < 130);
  }
}

TEST_CASE_FIXTURE(SetFixture, "ranked asks the fastest, and the others now and then") {
  options.policy = Policy::Ranked;
  first.set_respond(hold_address("192.0.2.1"));
  use_two();
  int slow = 0;
  for (int i = 0; i < 320; ++i) {
    const Asked asked = ask();
    clock.until([&] { return asked.is_done() || first.held() != 0; });
    if (!asked.is_done()) {
      ++slow;
      clock.turn(8ms);  // Less than anybody's patience.
      first.release();
      clock.until([&] { return asked.is_done(); });
    }
  }
  CHECK(slow >= 3);
  CHECK(slow <= 30);
  CHECK(report(0).smoothed_latency > 1ms);
}

TEST_CASE_FIXTURE(SetFixture, "ranked prefers a slower upstream to one that loses questions") {
  options.policy = Policy::Ranked;
  first.set_respond(say_nothing);
  use_two();
  for (int i = 0; i < 3; ++i) {
    ask();
    clock.turn(3s);
  }
  const std::size_t before = first.questions().size();
  for (int i = 0; i < 60; ++i) {
    const Asked asked = ask();
    clock.turn(Upstream::ShortestPatience);
    CHECK(asked.text() == "192.0.2.2");
  }
  CHECK(first.questions().size() <= before + 6);  // Those that explore.
}

// ---------------------------------------------------------------------------------------------
// When the next one is.

TEST_CASE_FIXTURE(SetFixture, "an upstream that is late gets company, and the first answer wins") {
  first.set_respond(hold_address("192.0.2.1"));
  use_two();
  const Asked asked = ask();
  clock.turn(Upstream::UnknownPatience - 1ms);
  CHECK(second.questions().empty());
  clock.turn(1ms);
  CHECK(asked.text() == "192.0.2.2");
  CHECK(report(1).counters.hedges == 1);
  CHECK(report(1).counters.hedge_wins == 1);
  CHECK(report(0).in_flight == 1);

  SUBCASE("the late answer is measured") {
    clock.turn(100ms);
    first.release();
    REQUIRE(clock.until([&] { return report(0).counters.late_answers == 1; }));
    CHECK(report(0).smoothed_latency == 300ms);
    CHECK(report(0).in_flight == 0);
    CHECK(report(0).counters.timeouts == 0);
  }
  SUBCASE("the one that never comes is a loss") {
    clock.turn(2s);
    CHECK(report(0).counters.timeouts == 1);
    CHECK(report(0).loss > 0);
    CHECK(report(0).in_flight == 0);
  }
}

TEST_CASE_FIXTURE(SetFixture, "patience is what the upstream usually takes, and a little more") {
  use_two();
  first.set_respond(hold_address("192.0.2.1"));
  for (int i = 0; i < 20; ++i) {
    const Asked asked = ask();
    REQUIRE(clock.until([&] { return first.held() == 1; }));
    clock.turn(40ms);
    first.release();
    REQUIRE(clock.until([&] { return asked.is_done(); }));
  }
  CHECK(second.questions().empty());
  ask();
  clock.turn(49ms);
  CHECK(second.questions().empty());
  clock.turn(1ms);
  CHECK(second.questions().size() == 1);
}

TEST_CASE_FIXTURE(SetFixture, "who lets everybody wait is asked after the others, for a while") {
  options.upstream_timeout = 60s;  // Nothing is known to be lost yet.
  first.set_respond(say_nothing);
  use_two();
  for (std::size_t i = 0; i < Upstream::LateStreak; ++i) {
    ask();
    clock.turn(Upstream::UnknownPatience);
  }
  const std::size_t before = first.questions().size();
  CHECK(before == Upstream::LateStreak);
  CHECK(ask_now() == "192.0.2.2");  // At once, long before anything has timed out.
  CHECK(first.questions().size() == before);

  clock.turn(Upstream::LateFor);
  SUBCASE("one question tells whether it still does") {
    const Asked asked = ask();
    clock.turn(Upstream::UnknownPatience);
    CHECK(asked.text() == "192.0.2.2");
    CHECK(first.questions().size() == before + 1);
    CHECK(ask_now() == "192.0.2.2");
    CHECK(first.questions().size() == before + 1);
  }
  SUBCASE("an answer makes it one of the others") {
    first.set_respond({});
    CHECK(ask_now() == "192.0.2.1");
    CHECK(ask_now() == "192.0.2.1");
  }
}

TEST_CASE_FIXTURE(SetFixture, "a refusal, an error, a referral and garbage lead to the next one") {
  struct Case {
    const char* what;
    DnsAdversary::Respond respond;
  };
  const Case cases[] = {
      {"SERVFAIL", always(2)},
      {"REFUSED", always(5)},
      {"NOTIMP", always(4)},
      {"a referral",
       [](const DnsQuestion& question) { return DnsScript{say(test::referral(question))}; }},
      {"garbage", [](const DnsQuestion& question) {
         Octets bad = answer_to(question);
         bad[13] ^= 1;
         return DnsScript(3, say(bad));
       }}};
  for (const Case& one : cases) {
    CAPTURE(one.what);
    first.set_respond(one.respond);
    use_two();
    CHECK(ask_now() == "192.0.2.2");
    table.upstreams.clear();
    configure();  // What is known is forgotten.
  }
}

TEST_CASE_FIXTURE(SetFixture, "NXDOMAIN is an answer, and nobody else is asked") {
  first.set_respond([](const DnsQuestion& question) { return DnsScript{say(no_name(question))}; });
  use_two();
  CHECK(ask_now() == "rcode 3");
  CHECK(second.questions().empty());
}

TEST_CASE_FIXTURE(SetFixture, "how long answers took is known by rcode, those to probes left out") {
  first.set_respond(always(2));
  use_two();
  for (int i = 0; i < 2; ++i) {
    CHECK(ask_now() == "192.0.2.2");
  }
  first.set_respond([](const DnsQuestion& question) { return DnsScript{say(no_name(question))}; });
  CHECK(ask_now() == "rcode 3");
  const UpstreamCounters counters = report(0).counters;
  std::string counts;
  for (const auto& [place, buckets] : counters.latencies) {
    counts += std::to_string(place) + ":" + std::to_string(buckets.count()) + " ";
  }
  CHECK(counts == "2:2 3:1 ");
  CHECK(counters.latency().count() == 3);
  CHECK(counters.loop_probes == 1);
}

TEST_CASE_FIXTURE(SetFixture, "when all fail at the name, their failure is the answer") {
  first.set_respond(always(5));
  second.set_respond(always(2));
  use_two();
  for (int i = 0; i < 5; ++i) {
    CHECK(ask_now() == "rcode 2");
  }
  // It may be the name: nobody is blamed.
  CHECK(report(0).health == HealthState::Good);
  CHECK(report(1).health == HealthState::Good);
}

TEST_CASE_FIXTURE(SetFixture, "when all refuse, that is said") {
  first.set_respond(always(5));
  second.set_respond(always(4));
  use_two();
  CHECK(ask_now() == "AllRefused");
}

TEST_CASE_FIXTURE(SetFixture, "at the deadline the best answer so far is given") {
  first.set_respond(always(2));
  second.set_respond(say_nothing);
  use_two();
  const Asked asked = ask(question_of("example.com."), 1s);
  clock.turn(999ms);
  CHECK(asked.text() == "nothing yet");
  clock.turn(1ms);
  CHECK(asked.text() == "rcode 2");
}

// ---------------------------------------------------------------------------------------------
// Health.

TEST_CASE_FIXTURE(SetFixture,
                  "who refuses what others answer is down, and probed, and good again") {
  first.set_respond(always(5));
  use_two();
  for (int i = 0; i < Health::Strikes; ++i) {
    CHECK(ask_now() == "192.0.2.2");
  }
  CHECK(report(0).health == HealthState::Down);
  CHECK(event_kinds() == "Down");
  CHECK(events[0].to_text() == "upstream " + first.address() +
                                   " is down: it refuses what others answer; it is probed, and "
                                   "asked only while no other one is good");
  const std::size_t before = first.questions().size();
  CHECK(ask_now() == "192.0.2.2");
  CHECK(first.questions().size() == before);

  first.set_respond({});
  clock.turn(1s);
  REQUIRE(first.questions().size() == before + 1);
  CHECK(first.questions().back().name == ".");
  CHECK(first.questions().back().type == 6);
  CHECK(report(0).health == HealthState::Good);
  CHECK(report(0).counters.health_probes == 1);
  CHECK(event_kinds() == "Down Good");
  CHECK(ask_now() == "192.0.2.1");
}

TEST_CASE_FIXTURE(SetFixture, "an upstream that stays down is probed less and less often") {
  first.set_respond(always(5));
  use_two();
  for (int i = 0; i < Health::Strikes; ++i) {
    ask_now();
  }
  std::vector<std::uint64_t> probes;
  for (int i = 0; i < 4; ++i) {
    clock.turn(60s);
    probes.push_back(report(0).counters.health_probes);
  }
  CHECK(probes[0] >= 5);
  CHECK(probes[0] <= 8);
  CHECK(probes[3] - probes[2] <= 2);
  CHECK(probes[3] - probes[2] >= 1);
}

TEST_CASE_FIXTURE(SetFixture, "when all are down they are asked all the same") {
  first.stop_udp();
  second.stop_udp();
  use_two();
  for (int i = 0; i < 5; ++i) {
    CHECK(ask_now() == "Unreachable");
  }
  CHECK(report(0).health == HealthState::Down);
  CHECK(report(1).health == HealthState::Down);
  CHECK(report(0).counters.queries >= 5);
}

TEST_CASE_FIXTURE(SetFixture, "what is asked although nobody is good is counted") {
  first.stop_udp();
  use_two();
  for (int i = 0; i < Health::Strikes; ++i) {
    CHECK(ask_now() == "192.0.2.2");
  }
  REQUIRE(report(0).health == HealthState::Down);
  CHECK(ask_now() == "192.0.2.2");
  CHECK(forwarder->without_good_upstream() == 0);  // The second one is good.

  second.stop_udp();
  for (int i = 0; i < Health::Strikes; ++i) {
    CHECK(ask_now() == "Unreachable");
  }
  REQUIRE(report(1).health == HealthState::Down);
  CHECK(forwarder->without_good_upstream() == 0);
  CHECK(ask_now() == "Unreachable");
  CHECK(ask_now() == "Unreachable");
  CHECK(forwarder->without_good_upstream() == 2);
}

TEST_CASE_FIXTURE(SetFixture, "one question that is repeated is one strike") {
  first.set_respond(say_nothing);
  use({first.address()});
  ask(question_of("example.com."), 60s);
  clock.turn(10s);
  CHECK(report().counters.timeouts == Inquiry::MaxTriesOfOne);
  CHECK(report().health == HealthState::Good);
}

// ---------------------------------------------------------------------------------------------
// Bounds.

TEST_CASE_FIXTURE(SetFixture, "past the bound on questions in flight a question fails at once") {
  options.max_in_flight = 10;
  first.set_respond(hold_address("192.0.2.1"));
  use({first.address()});
  std::vector<Asked> asked;
  for (int i = 0; i < 10; ++i) {
    asked.push_back(ask());
  }
  CHECK(ask_now() == "Overloaded");
  REQUIRE(clock.until([&] { return first.held() == 10; }));
  first.release();
  REQUIRE(clock.until([&] { return asked.back().is_done(); }));
  first.set_respond({});
  CHECK(ask_now() == "192.0.2.1");
}

TEST_CASE_FIXTURE(SetFixture, "late answers are given up before questions are refused") {
  options.max_in_flight = 10;
  first.set_respond(say_nothing);
  use_two();
  std::vector<Asked> asked;
  for (int i = 0; i < 10; ++i) {
    asked.push_back(ask());
  }
  clock.turn(Upstream::UnknownPatience);
  CHECK(asked.back().text() == "192.0.2.2");
  CHECK(report(0).in_flight == 10);
  asked.clear();
  for (int i = 0; i < 10; ++i) {
    asked.push_back(ask());
  }
  for (const Asked& one : asked) {
    clock.until([&] { return one.is_done(); });
    CHECK(one.text() == "192.0.2.2");
  }
  CHECK(report(0).in_flight == 0);
}

TEST_CASE_FIXTURE(SetFixture, "one upstream that is away for 3.9 seconds has lost nothing") {
  first.set_respond(say_nothing);
  use({first.address()});
  const Asked asked = ask(question_of("example.com."), 4s);
  clock.turn(3900ms);
  CHECK(asked.text() == "nothing yet");
  first.set_respond({});
  clock.turn(99ms);
  REQUIRE(clock.until([&] { return asked.is_done(); }));
  CHECK(asked.text() == "192.0.2.1");
}

// How often it was asked about example.com, and not for a loop.
std::size_t asked_of(const DnsAdversary& upstream) {
  return static_cast<std::size_t>(
      std::ranges::count(upstream.questions(), "example.com.", &test::DnsQuestion::name));
}

TEST_CASE_FIXTURE(SetFixture,
                  "who cannot be reached is asked again, or the question fails at once") {
  for (const bool does : {true, false}) {
    CAPTURE(does);
    repeats = does;
    DnsAdversary away(context);
    away.set_respond([](const DnsQuestion&) { return DnsScript{act(test::DnsAct::Kind::Reset)}; });
    away.ignore_loop_probes();  // A connection that was good is tried again at once.
    use({"tcp://" + away.address()});
    const Asked asked = ask();
    REQUIRE(clock.until([&] { return asked_of(away) == 1; }));
    clock.settle();
    CHECK(asked.text() == (does ? "nothing yet" : "Unreachable"));
    clock.turn(Inquiry::FirstRepeat - 1ms);
    CHECK(asked_of(away) == 1);
    away.set_respond({});
    clock.turn(1ms);
    REQUIRE(clock.until([&] { return asked.is_done(); }));
    CHECK(asked.text() == (does ? "192.0.2.1" : "Unreachable"));
  }
}

TEST_CASE_FIXTURE(SetFixture, "who stays away is given up before the deadline, after a few tries") {
  repeats = true;
  first.set_respond([](const DnsQuestion&) { return DnsScript{act(test::DnsAct::Kind::Reset)}; });
  first.ignore_loop_probes();
  use({"tcp://" + first.address()});
  const Asked asked = ask(question_of("example.com."), 60s);
  for (int i = 0; i < 100 && !asked.is_done(); ++i) {
    clock.settle();
    clock.turn(50ms);
  }
  CHECK(asked.text() == "Unreachable");
  CHECK(asked_of(first) == Inquiry::MaxTriesOfUnreachable);
  CHECK(report(0).counters.hedges == 0);
}

TEST_CASE_FIXTURE(SetFixture, "two that stay away are given up as soon as one") {
  repeats = true;
  for (DnsAdversary* upstream : {&first, &second}) {
    upstream->set_respond(
        [](const DnsQuestion&) { return DnsScript{act(test::DnsAct::Kind::Reset)}; });
    upstream->ignore_loop_probes();
  }
  use({"tcp://" + first.address(), "tcp://" + second.address()});
  const SteadyTime start = clock.now();
  const Asked asked = ask();
  for (int i = 0; i < 100 && !asked.is_done(); ++i) {
    clock.settle();
    clock.turn(50ms);
  }
  CHECK(asked.text() == "Unreachable");
  CHECK(clock.now() - start <= 1850ms);
  CHECK(asked_of(first) == Inquiry::MaxTriesOfUnreachable);
  CHECK(asked_of(second) == Inquiry::MaxTriesOfUnreachable);
}

TEST_CASE_FIXTURE(SetFixture, "a question costs no more than eight") {
  use({first.address(), second.address(), third.address()});
  for (DnsAdversary* upstream : {&first, &second, &third}) {
    upstream->set_respond(say_nothing);
  }
  ask(question_of("example.com."), 60s);
  clock.turn(60s);
  CHECK(first.questions().size() + second.questions().size() + third.questions().size() <=
        Inquiry::MaxTries);
}

TEST_CASE_FIXTURE(SetFixture, "without upstreams there is nobody to ask") {
  configure();
  CHECK(ask_now() == "NoUpstream");
  CHECK(!forwarder->has_upstreams(question_of("example.com.").name));
}

TEST_CASE_FIXTURE(SetFixture, "what is under way when the forwarder goes is completed") {
  first.set_respond(say_nothing);
  use({first.address(), "tcp://" + second.address()});
  second.set_respond(say_nothing);
  const Asked one = ask();
  clock.turn(300ms);  // Both are asked.
  forwarder.reset();
  clock.settle();
  CHECK(one.text() == "Stopped");
}

TEST_CASE_FIXTURE(SetFixture, "an answer that comes after the forwarder has gone hurts nobody") {
  first.set_respond(hold_address("192.0.2.1"));
  second.set_respond(hold_address("192.0.2.2"));
  use({first.address(), "tcp://" + second.address()});
  ask();
  clock.turn(300ms);
  REQUIRE(clock.until([&] { return first.held() == 1 && second.held() == 1; }));
  forwarder.reset();
  first.release();
  second.release();
  clock.turn(10s);
}

}  // namespace
}  // namespace waypost::resolver
