// What is known about an upstream, and what happened to it, for metrics and logs.

#pragma once

#include "base/duration_histogram.h"
#include "dns/types.h"
#include "resolver/upstream_address.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace waypost::resolver {

// How long answers took, in buckets for Prometheus: 0.25 ms, 0.5 ms, 1 ms… up to 8.192 s.
using LatencyBuckets = DurationHistogram<250, 16>;

struct UpstreamCounters {
  std::uint64_t queries = 0;  // Questions that it was asked, hedges and probes included.
  std::array<std::uint64_t, dns::RcodePlaces> rcodes{};  // Its answers by dns::rcode_place().
  std::uint64_t timeouts = 0;
  std::uint64_t mismatches = 0;    // Messages that were no answer to the question: ignored.
  std::uint64_t truncated = 0;     // Answers with TC, which were asked for again over TCP.
  std::uint64_t lame = 0;          // Referrals, where an answer was wanted.
  std::uint64_t without_edns = 0;  // Questions repeated without EDNS after FORMERR or NOTIMP.
  std::uint64_t connections = 0;   // Over TCP or TLS, made: for each, a question that found none.
  std::uint64_t reuses = 0;        // Questions that went out on a connection that was there.
  std::uint64_t connection_failures = 0;  // Refused, unreachable, or broken while in use.
  std::uint64_t tls_failures = 0;
  std::uint64_t hedges = 0;        // Questions that it was asked because another one was late.
  std::uint64_t hedge_wins = 0;    // Of these, those that it answered first.
  std::uint64_t late_answers = 0;  // Good answers after another upstream's.
  std::uint64_t overloads = 0;     // Questions that did not fit into its connections or sockets.
  std::uint64_t health_probes = 0;
  std::uint64_t failed_probes = 0;  // Of these, those without a good answer.
  std::uint64_t loop_probes = 0;
  // How long its answers took, probes left out, by dns::rcode_place(): those that there were.
  std::map<std::size_t, LatencyBuckets> latencies;

  LatencyBuckets latency() const;  // Of all answers together.
};

enum class HealthState : std::uint8_t {
  Good,
  Down,     // Not asked while another one is good; probed in the background.
  Looping,  // Sends our questions back to us: never asked; probed now and then.
};

struct UpstreamReport {
  std::string zone;      // "." for the default ones.
  std::string upstream;  // UpstreamAddress::to_text()
  std::string socket;    // UpstreamAddress::socket_text()
  Transport transport = Transport::Udp;
  HealthState health = HealthState::Good;
  std::chrono::microseconds smoothed_latency{0};  // 0: not measured yet.
  double loss = 0;                                // Of late, 0 to 1.
  std::size_t in_flight = 0;
  UpstreamCounters counters;
};

struct UpstreamEvent {
  enum class Kind : std::uint8_t { Down, Good, Looping, LoopEnded, TlsRefused };
  Kind kind = Kind::Good;
  std::string zone;
  std::string upstream;
  std::string origin;  // UpstreamAddress::origin
  std::string reason;

  // A sentence for an operator, with what to do if there is something.
  std::string to_text() const;
  // True for what somebody has to mend.
  bool is_problem() const noexcept { return kind != Kind::Good && kind != Kind::LoopEnded; }
};

}  // namespace waypost::resolver
