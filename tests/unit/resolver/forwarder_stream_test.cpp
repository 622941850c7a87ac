#include "forwarder_fixture.h"

#include "resolver/exchange.h"
#include "resolver/stream_connection.h"
#include "resolver/stream_pool.h"

#include <algorithm>
#include <map>
#include <set>

namespace waypost::resolver {
namespace {

using test::act;
using test::answer_to;
using test::DnsAct;
using test::hold;
using test::say;

// An upstream that keeps all answers back.
DnsScript hold_answer(const DnsQuestion& question) {
  return {hold(answer_to(question))};
}

std::size_t done_count(const std::vector<Asked>& asked) {
  return static_cast<std::size_t>(
      std::ranges::count_if(asked, [](const Asked& one) { return one.is_done(); }));
}

class StreamFixture : public ForwarderFixture {
 public:
  DnsAdversary upstream{context};

  void use_tcp() { use({"tcp://" + upstream.address()}); }
  // The same with nothing on its connections but what a test asks.
  void use_tcp_without_probes() {
    upstream.ignore_loop_probes();
    use_tcp();
    clock.turn(options.upstream_timeout);  // The loop's question is over.
  }
  std::vector<Asked> ask_many(std::size_t count) {
    std::vector<Asked> asked;
    for (std::size_t i = 0; i < count; ++i) {
      asked.push_back(ask("n" + std::to_string(i) + ".example.com."));
    }
    return asked;
  }
  // Of `connections`, how many are open at the upstream.
  bool until_open(std::size_t connections) {
    return clock.until([&] { return upstream.open_connections() == connections; });
  }
};

TEST_CASE_FIXTURE(StreamFixture, "tcp:// never asks over UDP, and keeps its connection") {
  use_tcp();
  CHECK(report().transport == Transport::Tcp);
  CHECK(ask_now() == "192.0.2.1");
  CHECK(ask_now() == "192.0.2.1");
  CHECK(upstream.questions()[0].over_stream);
  CHECK(upstream.connections() == 1);
  CHECK(report().counters.connections == 1);
  CHECK(report().counters.reuses == 2);  // The loop's question came first.
}

TEST_CASE_FIXTURE(StreamFixture, "questions share a connection, and answers come in any order") {
  upstream.set_respond([](const DnsQuestion& question) {
    return DnsScript{hold(answer_to(question, "192.0.2." + question.name.substr(1, 1)))};
  });
  use_tcp();
  const std::vector<Asked> asked = ask_many(8);
  REQUIRE(clock.until([&] { return upstream.held() == 8; }));
  CHECK(upstream.connections() == 1);
  for (std::size_t i = 8; i-- > 0;) {
    upstream.release(i);
  }
  REQUIRE(clock.until([&] { return done_count(asked) == 8; }));
  std::set<std::uint16_t> ids;
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(asked[i].text() == "192.0.2." + std::to_string(i));
    ids.insert(upstream.questions()[i].id);
  }
  CHECK(ids.size() == 8);
}

TEST_CASE_FIXTURE(StreamFixture, "a full connection gets a second one, and all are full at last") {
  upstream.set_respond(hold_answer);
  constexpr std::size_t Connections = 4;
  constexpr std::size_t Most = StreamConnection::MaxPipelined * Connections;
  options.max_in_flight = Most;
  use_tcp();
  // Each of them was also asked for a loop, which is answered by now.
  const std::vector<Asked> asked = ask_many(Most);
  REQUIRE(clock.until([&] { return upstream.held() == Most; }));
  CHECK(upstream.connections() == Connections);
  CHECK(ask_now() == "Overloaded");
  CHECK(report().counters.connections == Connections);
  CHECK(report().counters.connections + report().counters.reuses == Most + 1);  // And the loop's.
  upstream.release();
  REQUIRE(clock.until([&] { return done_count(asked) == Most; }));
  upstream.set_respond({});
  CHECK(ask_now() == "192.0.2.1");
}

TEST_CASE_FIXTURE(StreamFixture, "a connection that nobody needs is closed after a while") {
  use_tcp();
  CHECK(ask_now() == "192.0.2.1");
  clock.turn(StreamConnection::IdleTimeout - 1ms);
  CHECK(upstream.open_connections() == 1);
  clock.turn(1ms);
  CHECK(until_open(0));
  CHECK(ask_now() == "192.0.2.1");
  CHECK(upstream.connections() == 2);
  CHECK(report().counters.connection_failures == 0);
}

TEST_CASE_FIXTURE(StreamFixture, "a connection that somebody waits at is not idle") {
  options.upstream_timeout = 60s;
  upstream.set_respond(hold_answer);
  use_tcp();
  const Asked asked = ask(question_of("example.com."), 60s);
  REQUIRE(clock.until([&] { return upstream.held() == 1; }));
  clock.turn(30s);
  upstream.release();
  REQUIRE(clock.until([&] { return asked.is_done(); }));
  CHECK(asked.text() == "192.0.2.1");
}

TEST_CASE_FIXTURE(StreamFixture, "after the server has closed the connection there is another") {
  use_tcp();
  CHECK(ask_now() == "192.0.2.1");
  upstream.close_connections();
  REQUIRE(until_open(0));
  clock.settle();
  CHECK(ask_now() == "192.0.2.1");
  CHECK(upstream.connections() == 2);
}

TEST_CASE_FIXTURE(StreamFixture, "questions on a connection that breaks are asked on another") {
  const DnsAct::Kind ways[] = {DnsAct::Kind::HalfClose, DnsAct::Kind::Reset};
  for (const DnsAct::Kind way : ways) {
    CAPTURE(static_cast<int>(way));
    DnsAdversary other(context);
    use({"tcp://" + other.address()});
    CHECK(ask_now() == "192.0.2.1");
    CHECK(ask_now() == "192.0.2.1");
    int count = 0;
    other.set_respond([&](const DnsQuestion& question) {
      return ++count == 1 ? DnsScript{act(way)} : DnsScript{say(answer_to(question))};
    });
    CHECK(ask_now() == "192.0.2.1");
    CHECK(other.connections() == 2);
    CHECK(report().counters.connection_failures == 1);
  }
}

TEST_CASE_FIXTURE(StreamFixture, "a server that breaks at once is not asked again") {
  use_tcp();
  CHECK(ask_now() == "192.0.2.1");
  upstream.set_respond([](const DnsQuestion&) { return DnsScript{act(DnsAct::Kind::Reset)}; });
  CHECK(ask_now() == "Unreachable");
  CHECK(upstream.questions().size() == 3);
}

TEST_CASE_FIXTURE(StreamFixture,
                  "a question goes over so many connections that break, and not more") {
  upstream.set_respond([](const DnsQuestion& question) {
    return question.name == "bad." ? DnsScript{hold(answer_to(question))}
                                   : DnsScript{say(answer_to(question))};
  });
  use_tcp();
  const Asked bad = ask("bad.");
  for (std::size_t i = 1; i <= Exchange::MaxStreamTries; ++i) {
    REQUIRE(clock.until([&] { return upstream.held() == i; }));
    // Never as many as before, or no more than that would be asked on one.
    for (std::size_t n = 0; n < 2 + i % 2; ++n) {
      CHECK(ask_now() == "192.0.2.1");
    }
    CHECK(!bad.is_done());
    upstream.close_connections();
  }
  REQUIRE(clock.until([&] { return bad.is_done(); }));
  CHECK(bad.text() == "Unreachable");
}

TEST_CASE_FIXTURE(StreamFixture,
                  "a server that answers one question per connection is put up with") {
  upstream.set_respond([](const DnsQuestion& question) {
    return DnsScript{say(answer_to(question)), act(DnsAct::Kind::HalfClose)};
  });
  use_tcp_without_probes();
  const std::vector<Asked> asked = ask_many(10);
  REQUIRE(clock.until([&] { return done_count(asked) == 10; }));
  for (const Asked& one : asked) {
    CHECK(one.text() == "192.0.2.1");
  }

  // With each on a connection of its own, and for a while.
  upstream.set_respond(hold_answer);
  const std::size_t before = upstream.connections();
  const std::vector<Asked> more = ask_many(10);
  REQUIRE(clock.until([&] { return upstream.held() == 10; }));
  CHECK(upstream.connections() == before + 10);
  clock.turn(StreamPool::ShortFor);
  const std::size_t later = upstream.connections();
  const std::size_t held = upstream.held();
  const std::vector<Asked> again = ask_many(10);
  REQUIRE(clock.until([&] { return upstream.held() == held + 10; }));
  CHECK(upstream.connections() <= later + 1);
}

TEST_CASE_FIXTURE(StreamFixture, "connections that have had their questions make room for others") {
  bool closes = true;
  upstream.set_respond([&](const DnsQuestion& question) {
    return closes ? DnsScript{say(answer_to(question)), act(DnsAct::Kind::HalfClose)}
                  : DnsScript{say(answer_to(question))};
  });
  options.max_in_flight = 3;
  use_tcp_without_probes();
  const std::vector<Asked> asked = ask_many(3);
  REQUIRE(clock.until([&] { return done_count(asked) == 3; }));
  closes = false;
  for (int i = 0; i < 10; ++i) {
    CHECK(ask_now() == "192.0.2.1");
  }
}

TEST_CASE_FIXTURE(StreamFixture, "a server that closes after a few answers answers all") {
  std::map<std::size_t, int> answers;  // Of each connection.
  upstream.set_respond([&](const DnsQuestion& question) {
    const int count = ++answers[question.connection];
    return count < 3    ? DnsScript{say(answer_to(question))}
           : count == 3 ? DnsScript{say(answer_to(question)), act(DnsAct::Kind::HalfClose)}
                        : DnsScript{};
  });
  use_tcp_without_probes();
  const std::vector<Asked> asked = ask_many(60);
  REQUIRE(clock.until([&] { return done_count(asked) == 60; }));
  for (const Asked& one : asked) {
    CHECK(one.text() == "192.0.2.1");
  }
}

TEST_CASE_FIXTURE(StreamFixture, "a server that says nothing any more is left") {
  use_tcp();
  CHECK(ask_now() == "192.0.2.1");
  upstream.set_respond([](const DnsQuestion&) { return DnsScript{}; });
  const Asked asked = ask();
  clock.turn(options.upstream_timeout);
  CHECK(asked.text() == "Timeout");
  CHECK(until_open(0));
  upstream.set_respond({});
  CHECK(ask_now() == "192.0.2.1");
  CHECK(upstream.connections() == 2);
}

TEST_CASE_FIXTURE(StreamFixture, "one late answer does not end a connection that is alive") {
  use_tcp();
  upstream.set_respond([](const DnsQuestion& question) {
    return question.name == "slow." ? DnsScript{hold(answer_to(question))}
                                    : DnsScript{say(answer_to(question))};
  });
  const Asked slow = ask("slow.");
  CHECK(ask_now() == "192.0.2.1");
  clock.turn(options.upstream_timeout);
  CHECK(slow.text() == "Timeout");
  CHECK(ask_now() == "192.0.2.1");
  CHECK(upstream.connections() == 1);
  upstream.release();  // Nobody waits for it, and nobody gets it.
  CHECK(ask_now("other.example.com.") == "192.0.2.1");
  CHECK(upstream.connections() == 1);
}

TEST_CASE_FIXTURE(StreamFixture, "what is no DNS ends the connection") {
  upstream.set_respond([](const DnsQuestion&) {
    return DnsScript{act(DnsAct::Kind::SendRaw, {0, 3, 'H', 'T', 'T'})};
  });
  use_tcp();
  CHECK(ask_now() == "BadAnswers");
  CHECK(until_open(0));
  CHECK(report().counters.connection_failures == 1);
}

TEST_CASE_FIXTURE(StreamFixture, "a flood of answers that nobody asked for ends the connection") {
  upstream.set_respond([](const DnsQuestion& question) {
    Octets stray = answer_to(question);
    stray[0] ^= 0x80;
    DnsScript script(question.name == "drops." ? StreamConnection::MaxStrays : 1, say(stray));
    script.push_back(say(answer_to(question)));
    return script;
  });
  use_tcp();
  CHECK(ask_now("drops.") == "192.0.2.1");
  CHECK(ask_now("one-more.") == "BadAnswers");
}

TEST_CASE_FIXTURE(StreamFixture, "an answer in pieces of one octet is put together") {
  upstream.set_respond([](const DnsQuestion& question) {
    const Octets answer = answer_to(question);
    DnsScript script{act(DnsAct::Kind::SendRaw, {0, static_cast<std::uint8_t>(answer.size())})};
    for (const std::uint8_t octet : answer) {
      script.push_back(act(DnsAct::Kind::SendRaw, {octet}));
    }
    return script;
  });
  use_tcp();
  CHECK(ask_now() == "192.0.2.1");
}

TEST_CASE_FIXTURE(StreamFixture, "the largest answer fits") {
  upstream.set_respond([](const DnsQuestion& question) {
    // One record more, at the root, of a type that nobody knows, up to 65 535 octets in all.
    Octets answer = test::error_without_edns(question, 0);
    const std::size_t rdata = 65535 - answer.size() - 11;
    answer.insert(answer.end(),
                  {0, 0xff, 0, 0, 1, 0, 0, 0, 60, static_cast<std::uint8_t>(rdata >> 8),
                   static_cast<std::uint8_t>(rdata)});
    answer.resize(65535);
    answer[7] = 1;
    return DnsScript{say(answer)};
  });
  use_tcp();
  const Asked asked = ask();
  REQUIRE(clock.until([&] { return asked.is_done(); }));
  REQUIRE(asked.reply->value());
  CHECK((**asked.reply)->size() == 65535);
}

TEST_CASE_FIXTURE(StreamFixture, "no connection can be made: that is known at once") {
  upstream.stop_streams();
  use_tcp();
  CHECK(ask_now() == "Unreachable");
  CHECK(ask_now() == "Unreachable");
}

// ---------------------------------------------------------------------------------------------

const test::TestAuthority& authority() {
  static const test::TestAuthority one("upstreams");
  return one;
}

class TlsFixture : public ForwarderFixture {
 public:
  std::optional<DnsAdversary> upstream;

  void start(const test::CertificateWish& wish, const std::string& name,
             const test::TestAuthority& by = authority()) {
    upstream.emplace(context, DnsAdversary::Respond(), DnsAdversary::Tls{by.issue(wish)});
    options.tls_authority = authority().certificate();
    use({"tls://" + upstream->address() + (name.empty() ? "" : "#" + name)});
  }
};

TEST_CASE_FIXTURE(TlsFixture, "tls:// asks servers that prove their name, with padding") {
  start({.names = {"dns.example"}}, "dns.example");
  CHECK(ask_now() == "192.0.2.1");
  CHECK(ask_now("another.example.com.") == "192.0.2.1");
  CHECK(upstream->connections() == 1);
  REQUIRE(upstream->questions().size() == 2);
  for (const DnsQuestion& question : upstream->questions()) {
    CHECK(question.over_stream);
    CHECK(question.message.size() == 128);
    CHECK(question.padding > 0);
  }
  CHECK(event_kinds() == "");
}

TEST_CASE_FIXTURE(TlsFixture, "without a name the certificate has to be for the address") {
  start({.addresses = {"127.0.0.1"}}, "");
  CHECK(ask_now() == "192.0.2.1");
}

TEST_CASE_FIXTURE(TlsFixture, "a server that cannot prove who it is gets no question") {
  const test::TestAuthority stranger("stranger");
  struct Case {
    const char* what;
    test::CertificateWish wish;
    const test::TestAuthority& by;
    const char* reason;
  };
  const Case cases[] = {
      {"another name", {.names = {"other.example"}}, authority(), "not for dns.example"},
      {"expired",
       {.names = {"dns.example"},
        .valid_from = std::chrono::hours(-48),
        .valid_until = std::chrono::hours(-24)},
       authority(),
       "expired"},
      {"not valid yet",
       {.names = {"dns.example"},
        .valid_from = std::chrono::hours(24),
        .valid_until = std::chrono::hours(48)},
       authority(),
       "not valid before"},
      {"a stranger's", {.names = {"dns.example"}}, stranger, "vouches"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.what);
    events.clear();
    start(one.wish, "dns.example", one.by);
    CHECK(ask_now() == "TlsRefused");
    CHECK(upstream->questions().empty());
    CHECK(report().counters.tls_failures > 0);
    REQUIRE(!events.empty());
    CHECK(events[0].kind == UpstreamEvent::Kind::TlsRefused);
    CHECK_MESSAGE(events[0].to_text().find(one.reason) != std::string::npos, events[0].to_text());
    CHECK(ask_now() == "TlsRefused");
    CHECK(std::ranges::count(events, UpstreamEvent::Kind::TlsRefused, &UpstreamEvent::kind) == 1);
  }
}

TEST_CASE_FIXTURE(TlsFixture, "a server that nobody checks is believed") {
  options.tls_verifies = false;
  start({.names = {"other.example"}}, "dns.example");
  CHECK(ask_now() == "192.0.2.1");
}

TEST_CASE_FIXTURE(TlsFixture, "a server that does not speak TLS is none") {
  upstream.emplace(context);
  options.tls_authority = authority().certificate();
  // It takes the handshake for a message, and closes when that makes no sense.
  upstream->stop_streams();
  use({"tls://" + upstream->address() + "#dns.example"});
  CHECK(ask_now() == "Unreachable");
}

TEST_CASE_FIXTURE(TlsFixture, "a server that is slow at TLS times out") {
  upstream.emplace(context, DnsAdversary::Respond(),
                   DnsAdversary::Tls{authority().issue({.names = {"dns.example"}}), true});
  options.tls_authority = authority().certificate();
  use({"tls://" + upstream->address() + "#dns.example"});
  const Asked asked = ask();
  clock.turn(options.upstream_timeout - 1ms);
  CHECK(asked.text() == "nothing yet");
  clock.turn(1ms);
  REQUIRE(clock.until([&] { return asked.is_done(); }));
  CHECK(asked.text() == "Timeout");
}

TEST_CASE_FIXTURE(TlsFixture, "certificates that cannot be read change nothing") {
  DnsAdversary plain(context);
  use({plain.address()});
  options.tls_authority = "nonsense";
  table.upstreams = {upstream_at("tls://127.0.0.1#dns.example")};
  const auto configured = forwarder->configure(options, table);
  REQUIRE(!configured);
  CHECK(configured.error().message ==
        "upstreams with TLS: certificate authority: no certificate in PEM is found");
  CHECK(ask_now() == "192.0.2.1");
}

}  // namespace
}  // namespace waypost::resolver
