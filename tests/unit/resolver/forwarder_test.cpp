#include "forwarder_fixture.h"

#include "resolver/health.h"
#include "resolver/probes.h"

#include <algorithm>

namespace waypost::resolver {
namespace {

using test::answer_to;
using test::error_to;
using test::say;

DnsAdversary::Respond answer_with(std::string_view address) {
  return [address](const DnsQuestion& question) {
    return DnsScript{say(answer_to(question, address))};
  };
}

StubDomain stub(std::string_view zone, std::initializer_list<std::string> upstreams) {
  StubDomain result{*dns::Name::from_text(zone), {}};
  for (const std::string& upstream : upstreams) {
    result.upstreams.push_back(upstream_at(upstream));
  }
  return result;
}

class ThreeFixture : public ForwarderFixture {
 public:
  DnsAdversary first{context, answer_with("192.0.2.1")};
  DnsAdversary second{context, answer_with("192.0.2.2")};
  DnsAdversary third{context, answer_with("192.0.2.3")};
};

// ---------------------------------------------------------------------------------------------
// Stub domains.

TEST_CASE_FIXTURE(ThreeFixture, "the longest stub domain owns a name") {
  table.stub_domains = {stub("Corp.Example.", {second.address()}),
                        stub("deep.corp.example.", {third.address()})};
  use({first.address()});
  CHECK(ask_now("example.") == "192.0.2.1");
  CHECK(ask_now("corp.example.") == "192.0.2.2");
  CHECK(ask_now("a.b.c.corp.example.") == "192.0.2.2");
  CHECK(ask_now("xcorp.example.") == "192.0.2.1");
  CHECK(ask_now("deep.corp.example.") == "192.0.2.3");
  CHECK(ask_now("x.deep.corp.example.") == "192.0.2.3");
  CHECK(ask_now(".") == "192.0.2.1");
}

TEST_CASE_FIXTURE(ThreeFixture, "a stub domain of the root owns everything") {
  table.stub_domains = {stub(".", {second.address()})};
  use({first.address()});
  CHECK(ask_now("example.") == "192.0.2.2");
  CHECK(ask_now(".") == "192.0.2.2");
}

TEST_CASE_FIXTURE(ThreeFixture, "stub domains alone leave other names without an upstream") {
  table.stub_domains = {stub("corp.example.", {second.address()})};
  configure();
  CHECK(forwarder->has_upstreams(question_of("a.corp.example.").name));
  CHECK(!forwarder->has_upstreams(question_of("example.").name));
  CHECK(ask_now("example.") == "NoUpstream");
  CHECK(ask_now("a.corp.example.") == "192.0.2.2");
}

TEST_CASE_FIXTURE(ThreeFixture, "a stub domain that fails does not fall back to the others") {
  second.stop_udp();
  table.stub_domains = {stub("corp.example.", {second.address()})};
  use({first.address()});
  CHECK(ask_now("a.corp.example.") == "Unreachable");
}

TEST_CASE_FIXTURE(ThreeFixture, "a server of a stub domain is probed with that zone") {
  second.set_respond(
      [](const DnsQuestion& question) { return DnsScript{say(error_to(question, 5))}; });
  table.stub_domains = {stub("corp.example.", {second.address(), third.address()})};
  use({first.address()});
  for (int i = 0; i < Health::Strikes; ++i) {
    CHECK(ask_now("a.corp.example.") == "192.0.2.3");
  }
  clock.turn(1s);
  CHECK(second.questions().back().name == "corp.example.");
  CHECK(second.questions().back().type == 6);
  CHECK(events.at(0).to_text().find(" for corp.example. is down") != std::string::npos);
}

TEST_CASE_FIXTURE(ThreeFixture, "reports go by zone, the default one first") {
  table.stub_domains = {stub("z.example.", {third.address()}),
                        stub("a.example.", {second.address()})};
  use({first.address()});
  ask_now("x.a.example.");
  const auto reports = forwarder->report();
  REQUIRE(reports.size() == 3);
  CHECK(reports[0].zone == ".");
  CHECK(reports[1].zone == "a.example.");
  CHECK(reports[1].upstream == second.address());
  CHECK(reports[1].counters.rcodes[0] == 1);
  CHECK(reports[1].counters.latency().counts()[0] == 1);  // No time has passed.
  CHECK(reports[2].zone == "z.example.");
}

// ---------------------------------------------------------------------------------------------
// Another configuration.

TEST_CASE_FIXTURE(ThreeFixture, "what is known about upstreams that stay is kept") {
  use({first.address(), second.address()});
  ask_now();
  use({second.address(), first.address()});
  CHECK(report(1).upstream == first.address());
  CHECK(report(1).counters.rcodes[0] == 1);
  CHECK(ask_now() == "192.0.2.2");
  CHECK(first.loop_probes().size() == 1);  // It was not new.
}

TEST_CASE_FIXTURE(ThreeFixture, "an upstream that is listed twice is one") {
  use({first.address(), first.address(), second.address()});
  CHECK(forwarder->report().size() == 2);
}

TEST_CASE_FIXTURE(ThreeFixture, "questions to an upstream that is gone are still answered by it") {
  first.set_respond(
      [](const DnsQuestion& question) { return DnsScript{test::hold(answer_to(question))}; });
  for (const char* scheme : {"udp://", "tcp://"}) {
    CAPTURE(scheme);
    use({scheme + first.address()});
    const Asked asked = ask();
    REQUIRE(clock.until([&] { return first.held() == 1; }));
    use({second.address()});
    first.release();
    REQUIRE(clock.until([&] { return asked.is_done(); }));
    CHECK(asked.text() == "192.0.2.1");
    clock.settle();
    CHECK(first.open_connections() == 0);
  }
}

TEST_CASE_FIXTURE(ForwarderFixture, "IPv6 is spoken as well") {
  for (const char* scheme : {"udp://", "tcp://"}) {
    DnsAdversary upstream(context, answer_with("192.0.2.6"), {}, "::1");
    use({scheme + upstream.address()});
    CHECK(ask_now() == "192.0.2.6");
    CHECK(report().upstream.find("[::1]:") != std::string::npos);
  }
}

TEST_CASE_FIXTURE(ThreeFixture, "questions for a stub domain that is gone are completed") {
  second.set_respond([](const DnsQuestion&) { return DnsScript{}; });
  table.stub_domains = {stub("corp.example.", {second.address()})};
  use({first.address()});
  const Asked asked = ask("a.corp.example.");
  clock.settle();
  table.stub_domains.clear();
  configure();
  clock.settle();
  CHECK(asked.text() == "Stopped");
  CHECK(ask_now("a.corp.example.") == "192.0.2.1");
}

TEST_CASE_FIXTURE(ThreeFixture, "a table that cannot be used changes nothing") {
  use({first.address()});
  const auto refused = [&](const ForwardTable& bad) {
    const auto configured = forwarder->configure(options, bad);
    CHECK(ask_now() == "192.0.2.1");
    return configured ? "" : configured.error().message;
  };
  ForwardTable bad;
  bad.upstreams.assign(16, upstream_at("192.0.2.53"));
  CHECK(refused(bad) == "16 upstreams; expected 15 at most");
  bad = {.stub_domains = {stub("corp.example.", {})}};
  CHECK(refused(bad) == "stub domain corp.example.: it has no upstreams");
  bad = {.stub_domains = {stub("corp.example.", {"192.0.2.53"}),
                          stub("CORP.example.", {"192.0.2.54"})}};
  CHECK(refused(bad) == "stub domain CORP.example.: it is named twice");
  bad = {};
  bad.stub_domains.assign(1001, stub("corp.example.", {"192.0.2.53"}));
  CHECK(refused(bad) == "1001 stub domains; expected 1000 at most");
  bad = {.stub_domains = {stub("corp.example.", {})}};
  bad.stub_domains[0].upstreams.assign(16, upstream_at("192.0.2.53"));
  CHECK(refused(bad) == "16 upstreams for stub domain corp.example.; expected 15 at most");
}

// ---------------------------------------------------------------------------------------------
// Loops.

// The loop probe that an upstream got, as a server would read it.
Question question_in(const DnsQuestion& probe) {
  return question_of(probe.name, static_cast<dns::RecordType>(probe.type));
}

class LoopFixture : public ThreeFixture {
 public:
  // What `from` was asked last comes in at this server, which refuses it.
  bool comes_back(const DnsAdversary& from) {
    return forwarder->is_probe(question_in(from.loop_probes().back()));
  }
  void use_resolv_conf() {
    table.upstreams = {upstream_at(first.address()), upstream_at(second.address())};
    table.upstreams[0].origin = "/etc/resolv.conf line 3";
    configure();
    clock.settle();
  }
};

TEST_CASE_FIXTURE(LoopFixture, "each new upstream is asked for a name that nobody else asks for") {
  use_resolv_conf();
  REQUIRE(first.loop_probes().size() == 1);
  REQUIRE(second.loop_probes().size() == 1);
  const std::string name = first.loop_probes()[0].name;
  CHECK(name.starts_with("waypost-loop-"));
  CHECK(name.size() == 13 + 32 + 1);
  CHECK(name != second.loop_probes()[0].name);
  CHECK(report().counters.loop_probes == 1);
  CHECK(report().smoothed_latency == 0us);
}

TEST_CASE_FIXTURE(LoopFixture, "an upstream that sends it back is not asked, and is named") {
  use_resolv_conf();
  REQUIRE(comes_back(first));
  CHECK(report(0).health == HealthState::Looping);
  CHECK(report(1).health == HealthState::Good);
  CHECK(event_kinds() == "Looping");
  CHECK(events[0].is_problem());
  CHECK(
      events[0].to_text() ==
      "upstream " + first.address() +
          " (/etc/resolv.conf line 3) sends queries back to this server: it is not asked any more; "
          "take it out of /etc/resolv.conf line 3, or make it ask other servers");
  for (int i = 0; i < 3; ++i) {
    CHECK(ask_now() == "192.0.2.2");
  }
  CHECK(first.questions().empty());
  CHECK(comes_back(first));  // Once more is no news.
  CHECK(event_kinds() == "Looping");
}

TEST_CASE_FIXTURE(LoopFixture, "the refusal that a loop's question gets does not end the loop") {
  first.hold_loop_probes();
  use_resolv_conf();
  REQUIRE(comes_back(first));
  CHECK(report(0).health == HealthState::Looping);
  first.release();
  clock.settle();
  CHECK(report(0).health == HealthState::Looping);
  CHECK(event_kinds() == "Looping");
}

TEST_CASE_FIXTURE(LoopFixture, "other questions are nobody's probe") {
  use_resolv_conf();
  CHECK(!forwarder->is_probe(question_of("example.com.", dns::RecordType::HINFO)));
  CHECK(!forwarder->is_probe(question_of(first.loop_probes()[0].name, dns::RecordType::A)));
  CHECK(!forwarder->is_probe(
      question_of("waypost-loop-00000000000000000000000000000000.", dns::RecordType::HINFO)));
  CHECK(events.empty());
}

TEST_CASE_FIXTURE(LoopFixture, "a looping upstream is asked again when the loop has ended") {
  use_resolv_conf();
  REQUIRE(comes_back(first));
  // The answer to the first probe came before: the next one is due ten minutes later at most.
  clock.turn(Probes::LoopPause);
  CHECK(first.loop_probes().size() == 2);
  CHECK(report(0).health == HealthState::Good);
  CHECK(event_kinds() == "Looping LoopEnded");
  CHECK(ask_now() == "192.0.2.1");
}

TEST_CASE_FIXTURE(LoopFixture, "a loop that stays is looked at less and less often") {
  first.ignore_loop_probes();
  use_resolv_conf();
  std::size_t seen = 0;
  std::vector<std::size_t> counts;
  for (int minute = 0; minute < 40; ++minute) {
    for (int i = 0; i < 4; ++i) {
      clock.turn(15s);
      if (first.loop_probes().size() > seen) {
        seen = first.loop_probes().size();
        CHECK(comes_back(first));
      }
    }
    if (minute % 20 == 19) {
      counts.push_back(seen);
    }
  }
  CHECK(counts[0] >= 5);
  CHECK(counts[0] <= 9);
  CHECK(counts[1] - counts[0] <= 5);
  CHECK(counts[1] - counts[0] >= 2);
  CHECK(report(0).health == HealthState::Looping);
  CHECK(event_kinds() == "Looping");
}

TEST_CASE_FIXTURE(LoopFixture, "when every upstream loops there is nobody to ask") {
  use_resolv_conf();
  REQUIRE(comes_back(first));
  REQUIRE(comes_back(second));
  CHECK(ask_now() == "NoUpstream");
}

TEST_CASE_FIXTURE(LoopFixture, "a good upstream is looked at again every ten minutes") {
  use_resolv_conf();
  clock.turn(Probes::LoopPause - 1s);
  CHECK(first.loop_probes().size() == 1);
  clock.turn(1s);
  CHECK(first.loop_probes().size() == 2);
  CHECK(comes_back(first));
  CHECK(report(0).health == HealthState::Looping);
}

TEST_CASE_FIXTURE(LoopFixture,
                  "an upstream without an answer to the probe is used, and probed again") {
  first.ignore_loop_probes();
  use_resolv_conf();
  clock.turn(options.upstream_timeout);
  CHECK(report(0).health == HealthState::Good);
  CHECK(report(0).loss == 0);
  CHECK(ask_now() == "192.0.2.1");
  clock.turn(30s);
  CHECK(first.loop_probes().size() == 2);
}

TEST_CASE_FIXTURE(LoopFixture, "a stub domain's upstream is probed below its zone") {
  table.stub_domains = {stub("corp.example.", {third.address()})};
  configure();
  clock.settle();
  REQUIRE(third.loop_probes().size() == 1);
  CHECK(third.loop_probes()[0].name.ends_with(".corp.example."));
  CHECK(comes_back(third));
  CHECK(report(0).health == HealthState::Looping);
}

}  // namespace
}  // namespace waypost::resolver
