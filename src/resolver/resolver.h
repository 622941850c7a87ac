// Questions that no answer is at hand for: each is asked once, however many wait for it, and what
// comes back is kept and handed to all of them.
//
// A question is answered from the cache if it can be; otherwise by an upstream; if that takes
// longer than a client waits, or fails, by an answer that has expired (serve-stale, RFC 8767);
// otherwise with a failure that says why, which is remembered for a moment (RFC 9520).
//
// A query that comes back to us because our own upstream leads here is the same question again: it
// waits for itself, is never sent on a second time, and fails at the deadline.
//
// Not here: which upstream is asked, and how (resolver/forwarder.h); clients (server/recursion.h).

#pragma once

#include "base/alarm.h"
#include "base/counter.h"
#include "base/timer.h"
#include "dns/response.h"
#include "resolver/answer_cache.h"
#include "resolver/failures.h"
#include "resolver/forward_failure.h"
#include "resolver/question.h"
#include "resolver/resolution.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace waypost::resolver {

struct ResolverOptions {
  // Questions that upstreams are asked at one time; further ones fail at once.
  std::size_t max_in_flight = 1000;
  // Until a question has failed; shorter than the five seconds that stub resolvers wait.
  std::chrono::milliseconds query_deadline{4000};
  // For how long a question that failed is not asked again, at first (RFC 9520, 3.2).
  std::chrono::seconds failure_pause{1};
  // Whether popular answers are fetched again before they expire.
  bool prefetch = true;
};

// Written by the resolver's thread, read by any.
struct ResolverCounters {
  Counter questions;   // Handed to the resolver.
  Counter late_hits;   // Answered from the cache, because the answer had come meanwhile.
  Counter coalesced;   // Waited for a question that was under way.
  Counter started;     // Questions that upstreams were asked.
  Counter finished;    // The same, once they were answered or failed: those between are in flight.
  Counter failed;      // Of these, those that failed.
  Counter stale;       // Clients that got an expired answer.
  Counter prefetches;  // Questions that were asked because a popular answer was about to expire.
  Counter refused;     // Questions that nobody can be asked about, and our own that came back.
  Counter overloaded;  // Questions that were refused because of a bound.
  Counter remembered;  // Questions that failed without being asked, as they had a moment before.

  // Any thread.
  std::uint64_t in_flight() const noexcept {
    const std::uint64_t done = finished.value();  // First, so that it is not more.
    return started.value() - done;
  }
};

// The upstreams, as far as the resolver sees them.
struct Elsewhere {
  // Completes once, later, by about the deadline of the effort: with a whole message that answers
  // the question, or with the reason why there is none.
  std::function<void(const Question&, Effort, std::function<void(Reply)>)> ask;
  // False when nobody can be asked about the name: then the question is refused.
  std::function<bool(const Question&)> can_ask;
  // True for a question of our own that came back: it is refused.
  std::function<bool(const Question&)> is_probe;
};

// Called exactly once, on the resolver's thread; perhaps before resolve() returns.  Not called when
// the resolver is destroyed.
using Resolved = std::function<void(const Resolution&)>;

// Used on one thread, which is also the writer of `cache`.
class Resolver {
 public:
  // Clients that may wait for each question in flight, on average.
  static constexpr std::size_t WaitersPerFlight = 8;
  // RFC 8767, 5: the client response timeout.
  static constexpr std::chrono::milliseconds ClientTimeout{1800};

  // `cache` and `clock` are borrowed and outlive this object, which outlives the last question that
  // `elsewhere` was asked.
  Resolver(AnswerCache& cache, AlarmClock& clock, Elsewhere elsewhere, ResolverOptions options);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  void resolve(const Question& question, Resolved done);
  // Asks anew although there is an answer.  Does nothing when that is under way, has just failed,
  // or would take the last half of what may be in flight.
  void refresh(const Question& question);

  // For what begins from now on.
  void set_options(const ResolverOptions& options) {
    options_ = options;
    failures_.set_first_pause(options.failure_pause);
  }
  // What is told when nobody can be asked although somebody should: the question then fails. Empty,
  // as at first: it is refused.
  void set_nobody(std::string why);
  // Forgets failures: the upstreams are others now.
  void forget_failures() { failures_.clear(); }

  const ResolverCounters& counters() const noexcept { return counters_; }

 private:
  struct Flight;
  using FlightPointer = std::shared_ptr<Flight>;

  const CachedAnswer* find_stale(const Question& question) const;
  bool answer_at_once(const Question& question, const Resolved& done);
  void start(const Question& question, Resolved done);
  void on_client_timeout(Flight& flight);
  void land(Flight& flight, const Reply& reply);
  std::expected<void, Failure> take_answer(Flight& flight, Bytes packet);
  void fail(Flight& flight, Failure failure, bool is_remembered);
  void complete(Flight& flight, const Resolution& resolution);

  AnswerCache& cache_;
  AlarmClock& clock_;
  const Elsewhere elsewhere_;
  ResolverOptions options_;
  ResolverCounters counters_;
  std::string nobody_;
  Failures failures_;
  std::unordered_map<Question, FlightPointer, QuestionHash> flights_;
  std::size_t waiting_ = 0;                  // Clients, over all flights.
  std::unique_ptr<dns::Response> response_;  // What is being read; large.
};

}  // namespace waypost::resolver
