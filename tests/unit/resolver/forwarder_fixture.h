// A Forwarder on a clock that stands still, with numbers that repeat, and upstreams that do what a
// test says.

#pragma once

#include "resolver/forwarder.h"
#include "support/dns_adversary.h"
#include "support/turned_clock.h"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waypost::resolver {

using namespace std::chrono_literals;
using test::DnsAdversary;
using test::DnsQuestion;
using test::DnsScript;
using test::Octets;

class SeededRandom final : public Random {
 public:
  std::uint64_t next() override { return engine_(); }

 private:
  std::mt19937_64 engine_{4711};
};

inline Question question_of(std::string_view name, dns::RecordType type = dns::RecordType::A) {
  Question question;
  question.name.assign(dns::Name::from_text(name)->wire());
  question.type = type;
  return question;
}

inline UpstreamAddress upstream_at(std::string_view text) {
  const auto address = UpstreamAddress::from_text(text);
  REQUIRE_MESSAGE(address, text);
  return *address;
}

// What became of a question.
struct Asked {
  std::shared_ptr<std::optional<Reply>> reply = std::make_shared<std::optional<Reply>>();

  bool is_done() const { return reply->has_value(); }
  // "192.0.2.1", "rcode 3", "Timeout 127.0.0.1:53", or "nothing yet".
  std::string text() const {
    if (!is_done()) {
      return "nothing yet";
    }
    if (!**reply) {
      static constexpr std::array Kinds{"NoUpstream", "Overloaded", "Timeout",    "Unreachable",
                                        "TlsRefused", "AllRefused", "BadAnswers", "Stopped"};
      return Kinds.at(static_cast<std::size_t>((*reply)->error().kind));
    }
    const Octets& octets = ***reply;
    const unsigned rcode = octets[3] & 0x0fU;
    if (rcode != 0) {
      return "rcode " + std::to_string(rcode);
    }
    if (octets[7] == 0) {
      return "no records";
    }
    std::size_t at = dns::HeaderSize;
    while (octets[at] != 0) {
      at += 1U + octets[at];
    }
    return IpAddress::from_octets(Bytes(octets).subspan(at + 5 + 12, 4)).to_text();
  }
};

class ForwarderFixture {
 public:
  boost::asio::io_context context;
  test::TurnedClock clock{context};
  SeededRandom random;
  std::vector<UpstreamEvent> events;
  ForwarderOptions options{.policy = Policy::Sequential, .query_case = false};
  ForwardTable table;
  bool repeats = false;  // Of the questions that are asked.
  std::optional<Forwarder> forwarder{
      std::in_place, context.get_executor(), clock, random,
      [this](const UpstreamEvent& event) { events.push_back(event); }};

  void configure() { REQUIRE(forwarder->configure(options, table)); }
  void use(std::initializer_list<std::string> upstreams) {
    table.upstreams.clear();
    for (const std::string& upstream : upstreams) {
      table.upstreams.push_back(upstream_at(upstream));
    }
    configure();
    clock.settle();  // Loops are looked for.
  }

  Asked ask(const Question& question, std::chrono::milliseconds limit = 4s) {
    Asked asked;
    forwarder->ask(question, {.deadline = clock.now() + limit, .repeats = repeats},
                   [reply = asked.reply](Reply what) { *reply = std::move(what); });
    CHECK(!asked.is_done());  // From the event loop, always.
    return asked;
  }
  Asked ask(std::string_view name = "example.com.") { return ask(question_of(name)); }
  // Waits for it without time passing, and says what became of it.
  std::string ask_now(std::string_view name = "example.com.") {
    const Asked asked = ask(name);
    clock.until([&] { return asked.is_done(); });
    return asked.text();
  }

  UpstreamReport report(std::size_t index = 0) const { return forwarder->report().at(index); }
  std::string event_kinds() const {
    static constexpr std::array Kinds{"Down", "Good", "Looping", "LoopEnded", "TlsRefused"};
    std::string text;
    for (const UpstreamEvent& event : events) {
      text +=
          (text.empty() ? "" : " ") + std::string(Kinds.at(static_cast<std::size_t>(event.kind)));
    }
    return text;
  }
};

}  // namespace waypost::resolver
