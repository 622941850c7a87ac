#include "forwarder_fixture.h"

#include <array>
#include <deque>
#include <random>

namespace waypost::resolver {
namespace {

using test::act;
using test::answer_to;
using test::DnsAct;
using test::hold;
using test::say;

// What an upstream may come to think of.
DnsScript anything(const DnsQuestion& question, std::mt19937& dice) {
  Octets wrong = answer_to(question, "203.0.113.66");
  wrong[13] ^= 1;
  Octets half = answer_to(question);
  half.resize(half.size() / 2);
  const bool streams = question.over_stream;
  switch (dice() % 16) {
    case 0:
      return {};
    case 1:
      return {hold(answer_to(question))};
    case 2:
      return {say(test::truncated(question))};
    case 3:
      return {say(test::error_to(question, 2))};
    case 4:
      return {say(test::error_to(question, 5))};
    case 5:
      return {say(test::error_without_edns(question, 1))};
    case 6:
      return {say(test::bare_error(question, 4))};
    case 7:
      return {say(test::referral(question))};
    case 8:
      return {say(wrong), say(wrong), say(answer_to(question))};
    case 9:
      return {say(half)};
    case 10:
      return {say(answer_to(question)), say(answer_to(question))};
    case 11:
      return streams ? DnsScript{act(DnsAct::Kind::Reset)} : DnsScript{};
    case 12:
      return streams ? DnsScript{say(answer_to(question)), act(DnsAct::Kind::HalfClose)}
                     : DnsScript{act(DnsAct::Kind::SendElsewhere, wrong)};
    case 13:
      return streams ? DnsScript{act(DnsAct::Kind::SendRaw, {0, 5, 1, 2, 3})} : DnsScript{say({})};
    default:
      return {say(answer_to(question))};
  }
}

struct Waiting {
  Asked asked;
  SteadyTime deadline;
};

TEST_CASE_FIXTURE(ForwarderFixture,
                  "whatever upstreams do, each question completes once and in time") {
  const test::TestAuthority authority("chaos");
  for (const unsigned seed : {1U, 2U, 3U, 4U}) {
    CAPTURE(seed);
    std::mt19937 dice(seed);
    const auto respond = [&](const DnsQuestion& question) { return anything(question, dice); };
    DnsAdversary plain(context, respond);
    DnsAdversary stream(context, respond);
    DnsAdversary tls(context, respond,
                     DnsAdversary::Tls{authority.issue({.names = {"dns.example"}})});
    std::array<DnsAdversary*, 3> upstreams{&plain, &stream, &tls};
    options = {.policy = static_cast<Policy>(seed % 4), .max_in_flight = 40};
    options.tls_authority = authority.certificate();
    use({plain.address(), "tcp://" + stream.address(), "tls://" + tls.address() + "#dns.example"});

    std::deque<Waiting> waiting;
    std::size_t answered = 0;
    const auto reap = [&] {
      while (!waiting.empty() &&
             (waiting.front().asked.is_done() || waiting.front().deadline < clock.now())) {
        CHECK(waiting.front().asked.is_done());
        answered += waiting.front().asked.text() == "192.0.2.1" ? 1 : 0;
        CHECK(waiting.front().asked.text() != "203.0.113.66");
        waiting.pop_front();
      }
    };
    for (int i = 0; i < 600; ++i) {
      switch (dice() % 12) {
        case 0:
          upstreams.at(dice() % 3)->close_connections();
          break;
        case 1:
          upstreams.at(dice() % 3)->release();
          break;
        case 2:
          clock.turn(std::chrono::milliseconds(dice() % 1500));
          break;
        case 3:
          if (dice() % 4 == 0) {
            std::swap(table.upstreams[dice() % table.upstreams.size()], table.upstreams[0]);
            configure();
          }
          break;
        default:
          waiting.push_back({ask("n" + std::to_string(i) + ".example.com."), clock.now() + 4s});
          break;
      }
      reap();
    }
    clock.turn(10s);
    reap();
    CHECK(waiting.empty());
    CHECK(answered > 200);
    // Once they come to their senses, nothing is left of it all.
    for (DnsAdversary* const upstream : upstreams) {
      upstream->set_respond({});
    }
    clock.turn(150s);
    for (const UpstreamReport& one : forwarder->report()) {
      CHECK_MESSAGE(one.health == HealthState::Good, one.upstream);
      CHECK_MESSAGE(one.in_flight == 0, one.upstream);
    }
  }
}

}  // namespace
}  // namespace waypost::resolver
