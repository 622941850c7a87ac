#include "forwarder_fixture.h"

#include "dns/types.h"
#include "resolver/inquiry.h"
#include "resolver/stream_connection.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace waypost::resolver {
namespace {

using test::act;
using test::answer_to;
using test::bare_error;
using test::DnsAct;
using test::error_to;
using test::error_without_edns;
using test::hold;
using test::say;

bool is_mixed(const std::string& name) {
  const auto is_upper = [](unsigned char c) { return std::isupper(c) != 0; };
  const auto is_lower = [](unsigned char c) { return std::islower(c) != 0; };
  return std::ranges::any_of(name, is_upper) && std::ranges::any_of(name, is_lower);
}

std::string lowered(std::string name) {
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

TEST_CASE_FIXTURE(ForwarderFixture, "a question goes out with RD and an EDNS of our own") {
  DnsAdversary upstream(context);
  use({upstream.address()});
  CHECK(ask_now("example.com.") == "192.0.2.1");
  REQUIRE(upstream.questions().size() == 1);
  const DnsQuestion& sent = upstream.questions()[0];
  CHECK(sent.name == "example.com.");
  CHECK(sent.type == 1);
  CHECK(sent.recursion_desired);
  CHECK(sent.has_edns);
  CHECK(sent.udp_size == 1232);
  CHECK(!sent.dnssec_ok);
  CHECK(!sent.checking_disabled);
  CHECK(sent.message.size() == 12 + 13 + 4 + 11);
}

TEST_CASE_FIXTURE(ForwarderFixture, "DO and CD are passed on") {
  DnsAdversary upstream(context);
  use({upstream.address()});
  Question question = question_of("example.com.", dns::RecordType::AAAA);
  question.dnssec_ok = true;
  question.checking_disabled = true;
  const Asked asked = ask(question);
  REQUIRE(clock.until([&] { return asked.is_done(); }));
  CHECK(upstream.questions()[0].type == 28);
  CHECK(upstream.questions()[0].dnssec_ok);
  CHECK(upstream.questions()[0].checking_disabled);
}

TEST_CASE_FIXTURE(ForwarderFixture, "the answer is handed over as it came") {
  Octets sent;
  DnsAdversary upstream(context, [&](const DnsQuestion& question) {
    sent = answer_to(question);
    return DnsScript{say(sent)};
  });
  use({upstream.address()});
  const Asked asked = ask();
  REQUIRE(clock.until([&] { return asked.is_done(); }));
  REQUIRE(asked.reply->value());
  CHECK(***asked.reply == sent);
}

TEST_CASE_FIXTURE(ForwarderFixture, "a coroutine can wait for the answer") {
  DnsAdversary upstream(context);
  use({upstream.address()});
  std::optional<Reply> reply;
  boost::asio::co_spawn(
      context,
      [&]() -> boost::asio::awaitable<void> {
        reply =
            co_await forwarder->ask(question_of("example.com."), {.deadline = clock.now() + 4s});
      },
      boost::asio::detached);
  REQUIRE(clock.until([&] { return reply.has_value(); }));
  CHECK(*reply);
}

TEST_CASE_FIXTURE(ForwarderFixture, "each question has an id and a port of its own") {
  DnsAdversary upstream(context);
  use({upstream.address()});
  std::set<std::uint16_t> ids;
  std::set<std::uint16_t> ports;
  for (int i = 0; i < 100; ++i) {
    REQUIRE(ask_now() == "192.0.2.1");
    ids.insert(upstream.questions().back().id);
    ports.insert(upstream.questions().back().port);
  }
  CHECK(ids.size() > 95);
  CHECK(ports.size() > 90);  // Of some 28 000 ports; sockets that are closed may come again.
}

TEST_CASE_FIXTURE(ForwarderFixture, "questions go out in random case when that is wished") {
  options.query_case = true;
  DnsAdversary upstream(context);
  use({upstream.address()});
  CHECK(ask_now("a-rather-long-name.example.com.") == "192.0.2.1");
  CHECK(ask_now("a-rather-long-name.example.com.") == "192.0.2.1");
  CHECK(is_mixed(upstream.questions()[0].name));
  CHECK(lowered(upstream.questions()[0].name) == "a-rather-long-name.example.com.");
  CHECK(upstream.questions()[0].name != upstream.questions()[1].name);
  CHECK(report().counters.mismatches == 0);
}

// ---------------------------------------------------------------------------------------------

struct WrongMessage {
  const char* what;
  Octets (*make)(const DnsQuestion& question);
};

const WrongMessage WrongMessages[] = {
    {"nothing at all", [](const DnsQuestion&) { return Octets{}; }},
    {"eleven octets",
     [](const DnsQuestion& question) {
       Octets octets = answer_to(question);
       octets.resize(11);
       return octets;
     }},
    {"another id",
     [](const DnsQuestion& question) {
       Octets octets = answer_to(question, "203.0.113.66");
       octets[1] ^= 1;
       return octets;
     }},
    {"a question", [](const DnsQuestion& question) { return question.message; }},
    {"another opcode",
     [](const DnsQuestion& question) {
       Octets octets = answer_to(question, "203.0.113.66");
       octets[2] |= 0x10;
       return octets;
     }},
    {"another name",
     [](const DnsQuestion& question) {
       Octets octets = answer_to(question, "203.0.113.66");
       octets[13] ^= 1;
       return octets;
     }},
    {"another type",
     [](const DnsQuestion& question) {
       Octets octets = answer_to(question, "203.0.113.66");
       octets[12 + question.name.size() + 2] = 28;
       return octets;
     }},
    {"another class",
     [](const DnsQuestion& question) {
       Octets octets = answer_to(question, "203.0.113.66");
       octets[12 + question.name.size() + 4] = 3;
       return octets;
     }},
    {"no question, and yet an answer",
     [](const DnsQuestion& question) { return bare_error(question, 0); }},
    {"two questions",
     [](const DnsQuestion& question) {
       Octets octets = answer_to(question, "203.0.113.66");
       octets[5] = 2;
       return octets;
     }},
    {"a record that is not whole",
     [](const DnsQuestion& question) {
       Octets octets = answer_to(question, "203.0.113.66");
       octets.pop_back();
       return octets;
     }},
    {"an address of three octets",
     [](const DnsQuestion& question) {
       Octets octets = answer_to(question, "203.0.113.66");
       const std::size_t record = 12 + question.name.size() + 1 + 4;
       octets[record + 11] = 3;
       octets.erase(octets.begin() + static_cast<std::ptrdiff_t>(record) + 12);
       return octets;
     }},
    {"an owner that points to itself",
     [](const DnsQuestion& question) {
       Octets octets = answer_to(question, "203.0.113.66");
       const std::size_t record = 12 + question.name.size() + 1 + 4;
       octets[record + 1] = static_cast<std::uint8_t>(record);
       return octets;
     }},
    {"octets behind the last record",
     [](const DnsQuestion& question) {
       Octets octets = answer_to(question, "203.0.113.66");
       octets.push_back(0);
       return octets;
     }},
};

TEST_CASE_FIXTURE(ForwarderFixture, "a message that is no answer is counted and not believed") {
  for (const WrongMessage& wrong : WrongMessages) {
    CAPTURE(wrong.what);
    DnsAdversary upstream(context, [&](const DnsQuestion& question) {
      return DnsScript{say(wrong.make(question)), say(answer_to(question))};
    });
    use({upstream.address()});
    CHECK(ask_now() == "192.0.2.1");
    CHECK(report().counters.mismatches == 1);
    CHECK(upstream.questions().size() == 1);
  }
}

TEST_CASE_FIXTURE(ForwarderFixture, "after three messages that are no answer TCP is asked") {
  for (const WrongMessage& wrong : WrongMessages) {
    CAPTURE(wrong.what);
    DnsAdversary upstream(context, [&](const DnsQuestion& question) {
      if (question.over_stream) {
        return DnsScript{say(answer_to(question))};
      }
      const auto bad = say(wrong.make(question));
      return DnsScript{bad, bad, bad, say(answer_to(question, "203.0.113.66"))};
    });
    use({upstream.address()});
    CHECK(ask_now() == "192.0.2.1");
    CHECK(report().counters.mismatches == 3);
    CHECK(upstream.questions().size() == 2);
  }
}

TEST_CASE_FIXTURE(ForwarderFixture, "over TCP a message that is no answer is a bad answer") {
  for (const WrongMessage& wrong : WrongMessages) {
    CAPTURE(wrong.what);
    // An id that nobody waits for is passed over, and what is shorter than a header ends it all.
    if (wrong.what == std::string("another id") || wrong.what == std::string("eleven octets") ||
        wrong.what == std::string("nothing at all")) {
      continue;
    }
    DnsAdversary upstream(
        context, [&](const DnsQuestion& question) { return DnsScript{say(wrong.make(question))}; });
    use({"tcp://" + upstream.address()});
    CHECK(ask_now() == "BadAnswers");
    CHECK(report().counters.mismatches == 1);
  }
}

TEST_CASE_FIXTURE(ForwarderFixture, "a datagram from another port is not even seen") {
  DnsAdversary upstream(context, [](const DnsQuestion& question) {
    return DnsScript{act(DnsAct::Kind::SendElsewhere, answer_to(question, "203.0.113.66")),
                     hold(answer_to(question))};
  });
  use({upstream.address()});
  const Asked asked = ask();
  REQUIRE(clock.until([&] { return upstream.held() == 1; }));
  clock.settle();
  CHECK(asked.text() == "nothing yet");
  upstream.release();
  REQUIRE(clock.until([&] { return asked.is_done(); }));
  CHECK(asked.text() == "192.0.2.1");
  CHECK(report().counters.mismatches == 0);
}

TEST_CASE_FIXTURE(ForwarderFixture, "an answer in another case is asked for again over TCP") {
  options.query_case = true;
  DnsAdversary upstream(context, [](const DnsQuestion& question) {
    Octets octets = answer_to(question, question.over_stream ? "192.0.2.1" : "203.0.113.66");
    if (!question.over_stream) {
      octets[13] ^= 0x20;
    }
    return DnsScript{say(octets)};
  });
  use({upstream.address()});
  CHECK(ask_now() == "192.0.2.1");
  CHECK(ask_now("a-rather-long-name.example.com.") == "192.0.2.1");
  REQUIRE(upstream.questions().size() == 4);
  CHECK(report().counters.mismatches == 2);
  CHECK(is_mixed(upstream.questions()[2].name));  // It was not the server: it keeps case over TCP.
}

TEST_CASE_FIXTURE(ForwarderFixture, "a server that loses the case is asked without for a while") {
  options.query_case = true;
  DnsAdversary upstream(context, [](const DnsQuestion& question) {
    Octets octets = answer_to(question);
    for (std::size_t i = 12; octets[i] != 0; ++i) {
      octets[i] = ascii_lower(octets[i]);
    }
    return DnsScript{say(octets)};
  });
  use({upstream.address()});
  const std::string name = "a-rather-long-name.example.com.";
  CHECK(ask_now(name) == "192.0.2.1");
  CHECK(upstream.questions().size() == 2);
  CHECK(ask_now(name) == "192.0.2.1");
  REQUIRE(upstream.questions().size() == 3);
  CHECK(upstream.questions()[2].name == name);
  CHECK(!upstream.questions()[2].over_stream);
  clock.turn(15min);
  CHECK(ask_now(name) == "192.0.2.1");
  CHECK(upstream.questions().size() == 5);
}

// ---------------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(ForwarderFixture, "a truncated answer is asked for again over TCP") {
  DnsAdversary upstream(context, [](const DnsQuestion& question) {
    return DnsScript{say(question.over_stream ? answer_to(question) : test::truncated(question))};
  });
  use({upstream.address()});
  CHECK(ask_now() == "192.0.2.1");
  CHECK(ask_now() == "192.0.2.1");
  CHECK(upstream.questions().size() == 4);
  CHECK(upstream.connections() == 1);
  CHECK(report().counters.truncated == 2);
}

TEST_CASE_FIXTURE(ForwarderFixture, "a datagram that is too long is asked for again over TCP") {
  DnsAdversary upstream(context, [](const DnsQuestion& question) {
    Octets octets = answer_to(question);
    if (!question.over_stream) {
      octets.resize(4097);
    }
    return DnsScript{say(octets)};
  });
  use({upstream.address()});
  CHECK(ask_now() == "192.0.2.1");
  CHECK(upstream.questions().size() == 2);
}

TEST_CASE_FIXTURE(ForwarderFixture, "an answer that is truncated over TCP as well is none") {
  DnsAdversary upstream(context, [](const DnsQuestion& question) {
    return DnsScript{say(test::truncated(question))};
  });
  use({upstream.address()});
  CHECK(ask_now() == "BadAnswers");
  CHECK(upstream.questions().size() == 2);
}

TEST_CASE_FIXTURE(ForwarderFixture,
                  "a truncated answer and no TCP: the upstream is not reachable") {
  DnsAdversary upstream(context, [](const DnsQuestion& question) {
    return DnsScript{say(test::truncated(question))};
  });
  upstream.stop_streams();
  use({upstream.address()});
  CHECK(ask_now() == "Unreachable");
}

// ---------------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(ForwarderFixture,
                  "a server that knows no EDNS is asked without, and for a while") {
  struct Case {
    const char* what;
    Octets (*make)(const DnsQuestion& question, unsigned rcode);
    unsigned rcode;
  };
  const Case cases[] = {{"FORMERR", error_without_edns, 1},
                        {"NOTIMP", error_without_edns, 4},
                        {"a header with FORMERR", bare_error, 1},
                        {"a header with NOTIMP", bare_error, 4}};
  for (const Case& one : cases) {
    CAPTURE(one.what);
    DnsAdversary upstream(context, [&](const DnsQuestion& question) {
      return DnsScript{
          say(question.has_edns ? one.make(question, one.rcode) : answer_to(question))};
    });
    use({upstream.address()});
    CHECK(ask_now() == "192.0.2.1");
    CHECK(ask_now() == "192.0.2.1");
    REQUIRE(upstream.questions().size() == 3);
    CHECK(!upstream.questions()[1].has_edns);
    CHECK(!upstream.questions()[2].has_edns);
    CHECK(report().counters.without_edns == 1);
    clock.turn(15min);
    CHECK(ask_now() == "192.0.2.1");
    CHECK(upstream.questions().size() == 5);
  }
}

TEST_CASE_FIXTURE(ForwarderFixture, "a server that knows only another EDNS is asked without") {
  DnsAdversary upstream(context, [](const DnsQuestion& question) {
    Octets octets = error_to(question, 0);
    if (question.has_edns) {
      octets[octets.size() - 6] = 1;  // BADVERS is 16: the high bits stand in the OPT record.
      return DnsScript{say(octets)};
    }
    return DnsScript{say(answer_to(question))};
  });
  use({upstream.address()});
  CHECK(ask_now() == "192.0.2.1");
  CHECK(upstream.questions().size() == 2);
}

TEST_CASE_FIXTURE(ForwarderFixture, "a server that never understands is asked twice, not forever") {
  DnsAdversary upstream(context, [](const DnsQuestion& question) {
    return DnsScript{say(error_without_edns(question, 1))};
  });
  use({upstream.address()});
  CHECK(ask_now() == "AllRefused");
  CHECK(upstream.questions().size() == 2);
  // It may have been the question: EDNS is tried with the next one.
  CHECK(ask_now() == "AllRefused");
  CHECK(upstream.questions().size() == 4);
}

TEST_CASE_FIXTURE(ForwarderFixture, "FORMERR from a server that knows EDNS is its answer") {
  DnsAdversary upstream(
      context, [](const DnsQuestion& question) { return DnsScript{say(error_to(question, 1))}; });
  use({upstream.address()});
  CHECK(ask_now() == "AllRefused");
  CHECK(upstream.questions().size() == 1);
}

TEST_CASE_FIXTURE(ForwarderFixture, "a header with SERVFAIL is made a whole message") {
  DnsAdversary upstream(
      context, [](const DnsQuestion& question) { return DnsScript{say(bare_error(question, 2))}; });
  use({upstream.address()});
  const Asked asked = ask();
  REQUIRE(clock.until([&] { return asked.is_done(); }));
  CHECK(asked.text() == "rcode 2");
  CHECK((**asked.reply)->size() == 12 + 13 + 4);
  CHECK((***asked.reply)[5] == 1);
}

// ---------------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(ForwarderFixture, "an upstream that says nothing times out") {
  DnsAdversary upstream(context, [](const DnsQuestion&) { return DnsScript{}; });
  use({upstream.address()});
  const Asked asked = ask(question_of("example.com."), 2500ms);
  clock.turn(2499ms);
  CHECK(asked.text() == "nothing yet");
  clock.turn(1ms);
  CHECK(asked.text() == "Timeout");
  CHECK((*asked.reply)->error().to_text() == "upstream " + upstream.address() + " timed out");
}

TEST_CASE_FIXTURE(ForwarderFixture,
                  "a datagram that was lost is sent again, a bounded number of times") {
  DnsAdversary upstream(context, [](const DnsQuestion&) { return DnsScript{}; });
  use({upstream.address()});
  ask(question_of("example.com."), 60s);
  clock.turn(449ms);
  CHECK(upstream.questions().size() == 1);
  clock.turn(1ms);
  CHECK(upstream.questions().size() == 2);
  clock.turn(10s);
  CHECK(upstream.questions().size() == Inquiry::MaxTriesOfOne);
  CHECK(report().counters.timeouts == Inquiry::MaxTriesOfOne);
}

TEST_CASE_FIXTURE(ForwarderFixture, "one lost datagram costs less than half a second") {
  int count = 0;
  DnsAdversary upstream(context, [&](const DnsQuestion& question) {
    return ++count == 1 ? DnsScript{} : DnsScript{say(answer_to(question))};
  });
  use({upstream.address()});
  const Asked asked = ask();
  clock.turn(450ms);
  CHECK(asked.text() == "192.0.2.1");
}

TEST_CASE_FIXTURE(ForwarderFixture, "a port where nobody listens is known at once") {
  DnsAdversary upstream(context);
  use({upstream.address()});
  upstream.stop_udp();
  const Asked asked = ask();
  REQUIRE(clock.until([&] { return asked.is_done(); }));
  CHECK(asked.text() == "Unreachable");
  CHECK(report().counters.connection_failures == 1);
  CHECK(report().counters.timeouts == 0);
}

TEST_CASE_FIXTURE(ForwarderFixture,
                  "without a file descriptor a question fails, and nobody is blamed") {
  DnsAdversary upstream(context);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  for (const char* scheme : {"udp://", "tcp://"}) {
    CAPTURE(scheme);
    table.upstreams.clear();
    configure();
    use({scheme + upstream.address()});
    clock.turn(StreamConnection::IdleTimeout);
    const int next = dup(0);
    REQUIRE(next >= 0);
    close(next);
    const rlimit none{.rlim_cur = static_cast<rlim_t>(next), .rlim_max = before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    const std::string outcome = ask_now();
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(outcome == "Overloaded");
    CHECK(report().loss == 0);
    CHECK(report().counters.connection_failures == 0);
    CHECK(ask_now() == "192.0.2.1");
  }
}

TEST_CASE_FIXTURE(ForwarderFixture, "an address that the kernel refuses is known at once") {
  use({"255.255.255.255"});
  const Asked asked = ask();
  clock.until([&] { return asked.is_done(); });
  CHECK(asked.text() == "Unreachable");
}

}  // namespace
}  // namespace waypost::resolver
