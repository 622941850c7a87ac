#include "resolver/upstream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace waypost::resolver {

std::string UpstreamEvent::to_text() const {
  const std::string where = origin.empty() ? "" : " (" + origin + ")";
  std::string name = "upstream " + upstream + where;
  const std::string of = zone == "." ? "" : " for " + zone;
  switch (kind) {
    case Kind::Down:
      return fmt::format(
          "{}{} is down: {}; it is probed, and asked only while no other one is good", name, of,
          reason);
    case Kind::Good:
      return fmt::format("{}{} is good again", name, of);
    case Kind::Looping:
      return fmt::format(
          "{}{} sends queries back to this server: it is not asked any more; take it "
          "out of {}, or make it ask other servers",
          name, of, origin.empty() ? "the list of upstreams" : origin);
    case Kind::LoopEnded:
      return fmt::format("{}{} does not send queries back any more: it is asked again", name, of);
    case Kind::TlsRefused:
      return fmt::format("{}{}: no TLS: {}", name, of, reason);
  }
  return name;
}

std::string ForwardFailure::to_text() const {
  std::string name = upstream.empty() ? "an upstream" : "upstream " + upstream;
  switch (kind) {
    case FailureKind::NoUpstream:
      return "there is no upstream to ask";
    case FailureKind::Overloaded:
      return "too many questions are under way";
    case FailureKind::Timeout:
      return name + " timed out";
    case FailureKind::Unreachable:
      return name + " is not reachable";
    case FailureKind::TlsRefused:
      return name + " failed at TLS";
    case FailureKind::AllRefused:
      return name + " refused to answer";
    case FailureKind::BadAnswers:
      return name + " sent no answer to the question";
    case FailureKind::Stopped:
      return "the server is being stopped";
  }
  return name;
}

LatencyBuckets UpstreamCounters::latency() const {
  LatencyBuckets sum;
  for (const auto& [place, buckets] : latencies) {
    sum.add(buckets);
  }
  return sum;
}

Upstream::Upstream(Surroundings& surroundings, UpstreamAddress address, std::string zone)
    : surroundings_(surroundings),
      address_(std::move(address)),
      zone_(std::move(zone)),
      streams_(surroundings, address_, counters_, [this](const std::string& reason) {
        if (std::exchange(tls_problem_, reason) != reason) {
          tell(UpstreamEvent::Kind::TlsRefused, reason);
        }
      }) {}

bool Upstream::enter() noexcept {
  if (in_flight_ >= surroundings_.options.max_in_flight) {
    ++counters_.overloads;
    return false;
  }
  ++in_flight_;
  return true;
}

bool Upstream::speaks_edns() const noexcept {
  return surroundings_.clock.now() >= edns_again_at_;
}

bool Upstream::keeps_case() const noexcept {
  return surroundings_.clock.now() >= case_again_at_;
}

void Upstream::note_no_edns() noexcept {
  edns_again_at_ = surroundings_.clock.now() + MemoryOfShortcomings;
}

void Upstream::note_lost_case() noexcept {
  case_again_at_ = surroundings_.clock.now() + MemoryOfShortcomings;
}

void Upstream::note_answer(dns::Rcode rcode, std::chrono::nanoseconds duration) {
  latency_.note_answer(duration);
  counters_.latencies[dns::rcode_place(rcode)].observe(duration);
  late_streak_ = 0;
  late_until_ = {};
  if (address_.transport == Transport::Tls) {
    tls_problem_.clear();
  }
}

void Upstream::note_late() noexcept {
  if (++late_streak_ >= LateStreak) {
    late_until_ = surroundings_.clock.now() + LateFor;
  }
}

void Upstream::note_good() {
  if (health_.note_good()) {
    tell(UpstreamEvent::Kind::Good, {});
  }
}

void Upstream::note_bad(const std::string& reason) {
  if (health_.note_bad(surroundings_.clock.now(), surroundings_.random)) {
    tell(UpstreamEvent::Kind::Down, reason);
  }
}

void Upstream::note_probe(bool is_good) {
  counters_.failed_probes += is_good ? 0 : 1;
  if (health_.note_probe(is_good, surroundings_.clock.now(), surroundings_.random)) {
    tell(UpstreamEvent::Kind::Good, {});
  }
}

void Upstream::note_loop(bool is_looping) {
  if (health_.set_looping(is_looping)) {
    tell(is_looping ? UpstreamEvent::Kind::Looping : UpstreamEvent::Kind::LoopEnded, {});
  }
}

std::chrono::microseconds Upstream::patience() const noexcept {
  if (!latency_.is_known()) {
    return UnknownPatience;
  }
  return std::clamp<std::chrono::microseconds>(latency_.usual_most() * 5 / 4, ShortestPatience,
                                               LongestPatience);
}

UpstreamReport Upstream::report() const {
  return {.zone = zone_,
          .upstream = address_.to_text(),
          .socket = address_.socket_text(),
          .transport = address_.transport,
          .health = health_.state(),
          .smoothed_latency = latency_.smoothed(),
          .loss = latency_.loss(),
          .in_flight = in_flight_,
          .counters = counters_};
}

void Upstream::tell(UpstreamEvent::Kind kind, std::string reason) {
  if (surroundings_.on_event) {
    surroundings_.on_event({.kind = kind,
                            .zone = zone_,
                            .upstream = address_.to_text(),
                            .origin = address_.origin,
                            .reason = std::move(reason)});
  }
}

}  // namespace waypost::resolver
