// One upstream: its connections, what it is known to be capable of, how it did of late.

#pragma once

#include "dns/types.h"
#include "resolver/forward_failure.h"
#include "resolver/health.h"
#include "resolver/latency.h"
#include "resolver/stream_pool.h"
#include "resolver/surroundings.h"
#include "resolver/upstream_address.h"
#include "resolver/upstream_report.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace waypost::resolver {

// One thread.  Held by its set, and by questions that are under way.
class Upstream {
 public:
  // What a server cannot do is tried again after this time: servers are mended.
  static constexpr std::chrono::minutes MemoryOfShortcomings{15};
  // Hedges in a row without any answer between them, after which others are preferred for a while.
  static constexpr std::size_t LateStreak = 4;
  static constexpr std::chrono::seconds LateFor{5};

  // How long to wait for it before the next one is asked as well.
  static constexpr std::chrono::milliseconds ShortestPatience{10};
  static constexpr std::chrono::milliseconds LongestPatience{400};
  static constexpr std::chrono::milliseconds UnknownPatience{200};

  // `zone` is whose names it is asked for, for messages.
  Upstream(Surroundings& surroundings, UpstreamAddress address, std::string zone);
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  Surroundings& surroundings() noexcept { return surroundings_; }
  const UpstreamAddress& address() const noexcept { return address_; }
  UpstreamCounters& counters() noexcept { return counters_; }
  const Latency& latency() const noexcept { return latency_; }
  StreamPool& streams() noexcept { return streams_; }

  // It was written elsewhere than before.
  void set_origin(std::string origin) { address_.origin = std::move(origin); }

  // One more question is under way; false when the bound is reached.
  bool enter() noexcept;
  void leave() noexcept { --in_flight_; }

  bool speaks_edns() const noexcept;
  bool keeps_case() const noexcept;
  void note_no_edns() noexcept;
  void note_lost_case() noexcept;

  // What became of a question, whatever the answer says; a probe's counts for latency alone.
  void note_answer(dns::Rcode rcode, std::chrono::nanoseconds duration);
  void note_loss() noexcept { latency_.note_loss(); }
  void note_good();
  void note_bad(const std::string& reason);
  void note_probe(bool is_good);
  void note_loop(bool is_looping);
  // The next one was asked because it is late.
  void note_late() noexcept;

  // It lets everybody wait.
  bool is_late() const noexcept { return surroundings_.clock.now() < late_until_; }
  const Health& health() const noexcept { return health_; }
  // How long its answers are usually waited for.
  std::chrono::microseconds patience() const noexcept;

  UpstreamReport report() const;

 private:
  void tell(UpstreamEvent::Kind kind, std::string reason);

  Surroundings& surroundings_;
  UpstreamAddress address_;
  const std::string zone_;
  UpstreamCounters counters_;
  Latency latency_;
  Health health_;
  std::size_t in_flight_ = 0;
  std::size_t late_streak_ = 0;
  AlarmClock::Time late_until_;
  AlarmClock::Time edns_again_at_;
  AlarmClock::Time case_again_at_;
  std::string tls_problem_;  // The last one that was told; empty when TLS works.
  StreamPool streams_;
};

}  // namespace waypost::resolver
