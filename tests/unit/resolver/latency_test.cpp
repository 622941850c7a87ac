#include "resolver/latency.h"

#include "resolver/health.h"
#include "resolver/upstream_report.h"
#include "forwarder_fixture.h"

namespace waypost::resolver {
namespace {

TEST_CASE("latency follows what answers take") {
  Latency latency;
  CHECK(!latency.is_known());
  CHECK(latency.expected(2s) == 0us);
  latency.note_answer(8ms);
  CHECK(latency.smoothed() == 8ms);
  CHECK(latency.usual_most() == 8ms);
  latency.note_answer(16ms);
  CHECK(latency.smoothed() == 9ms);
  for (int i = 0; i < 100; ++i) {
    latency.note_answer(32ms);
  }
  CHECK(latency.smoothed() > 31ms);
  CHECK(latency.smoothed() <= 32ms);
}

TEST_CASE("the usual most is what 19 of 20 answers do not exceed") {
  Latency latency;
  for (int i = 0; i < 640; ++i) {
    latency.note_answer(i % 32 == 0 ? 500ms : 1ms);
  }
  CHECK(latency.usual_most() == 1ms);
  for (int i = 0; i < 640; ++i) {
    latency.note_answer(i % 8 == 0 ? 500ms : 1ms);
  }
  CHECK(latency.usual_most() == 500ms);
}

TEST_CASE("a question that is lost counts with the time that it is waited for") {
  Latency latency;
  latency.note_answer(1ms);
  latency.note_loss();
  CHECK(latency.loss() == 1.0 / 16);
  CHECK(latency.expected(2s) > 125ms);
  for (int i = 0; i < 200; ++i) {
    latency.note_answer(1ms);
  }
  CHECK(latency.expected(2s) < 2ms);
}

TEST_CASE("a latency that cannot be is taken for one that can") {
  Latency latency;
  latency.note_answer(-5ms);
  CHECK(latency.smoothed() == 1us);
  latency.note_answer(100h);
  CHECK(latency.usual_most() > 1h);
}

TEST_CASE("buckets of latency") {
  LatencyBuckets buckets;
  buckets.observe(250us);
  buckets.observe(251us);
  buckets.observe(8192ms);
  buckets.observe(9s);
  CHECK(buckets.counts()[0] == 1);
  CHECK(buckets.counts()[1] == 1);
  CHECK(buckets.counts()[LatencyBuckets::BucketCount - 1] == 1);
  CHECK(buckets.counts()[LatencyBuckets::BucketCount] == 1);
  CHECK(buckets.sum_seconds() == doctest::Approx(17.192501));
}

TEST_CASE("pauses double up to their cap, half of each at least") {
  SeededRandom random;
  Pause pause(1s, 8s);
  for (const auto span : {1s, 2s, 4s, 8s, 8s}) {
    const auto given = pause.next(random);
    CHECK(given >= span / 2);
    CHECK(given <= span);
  }
  pause.reset();
  CHECK(pause.next(random) <= 1s);
}

TEST_CASE("three bad results in a row put an upstream down, a good one between them does not") {
  SeededRandom random;
  const AlarmClock::Time now{1h};
  Health health;
  CHECK(!health.note_bad(now, random));
  CHECK(!health.note_bad(now, random));
  CHECK(!health.note_good());
  CHECK(!health.note_bad(now, random));
  CHECK(!health.note_bad(now, random));
  CHECK(health.state() == HealthState::Good);
  CHECK(health.note_bad(now, random));
  CHECK(health.state() == HealthState::Down);
  CHECK(!health.note_bad(now, random));
  CHECK(health.probe_at() > now);
  CHECK(health.probe_at() <= now + 1s);
  CHECK(health.note_good());
  CHECK(health.state() == HealthState::Good);
}

TEST_CASE("who answers nothing but probes is left alone for longer and longer") {
  SeededRandom random;
  const AlarmClock::Time now{1h};
  Health health;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < Health::Strikes; ++i) {
      health.note_bad(now, random);
    }
    CHECK(health.probe_at() >= now + 500ms * (1 << round));
    CHECK(health.note_probe(true, now, random));
  }
  CHECK(!health.note_good());  // It is good already; its pauses begin anew.
  for (int i = 0; i < Health::Strikes; ++i) {
    health.note_bad(now, random);
  }
  CHECK(health.probe_at() <= now + 1s);
}

TEST_CASE("a loop counts whether an upstream is down or not") {
  SeededRandom random;
  Health health;
  CHECK(health.set_looping(true));
  CHECK(!health.set_looping(true));
  CHECK(health.state() == HealthState::Looping);
  health.note_good();
  CHECK(health.state() == HealthState::Looping);
  CHECK(health.set_looping(false));
  CHECK(health.state() == HealthState::Good);
}

}  // namespace
}  // namespace waypost::resolver
