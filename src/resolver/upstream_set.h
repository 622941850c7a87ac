// The upstreams of one zone: who is asked first, who next, and how many questions are under way.

#pragma once

#include "dns/name.h"
#include "resolver/forward_failure.h"
#include "resolver/forwarder.h"
#include "resolver/inquiry.h"
#include "resolver/probes.h"
#include "resolver/surroundings.h"
#include "resolver/upstream.h"

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <vector>

namespace waypost::resolver {

// One thread.
class UpstreamSet {
 public:
  // One in so many questions goes first to another upstream than the best one, so that what is
  // known about it stays true.
  static constexpr std::size_t ExploresOneIn = 32;

  UpstreamSet(Surroundings& surroundings, dns::Name zone);
  UpstreamSet(const UpstreamSet&) = delete;
  UpstreamSet& operator=(const UpstreamSet&) = delete;

  // Those that were there before are kept with what is known about them; new ones are probed for a
  // loop.  Of equal addresses the first counts.
  void replace(const std::vector<UpstreamAddress>& addresses);

  // As Forwarder::ask().
  void ask(const Question& question, Effort effort, Forwarder::Completion done);
  // Completes everything with Stopped; nothing is waited for any more.
  void stop();

  const dns::Name& zone() const noexcept { return zone_; }
  bool is_empty() const noexcept { return upstreams_.empty(); }
  // Questions that are not answered, and answered ones that a slow upstream is still waited for.
  std::size_t in_flight() const noexcept { return active_.size() + lingering_.size(); }
  bool take_probe(const Question& question) { return probes_.take(question); }
  void report(std::vector<UpstreamReport>& to) const;

  // ---- For Inquiry.

  struct Choice {
    std::shared_ptr<Upstream> upstream;     // Null: there is no other one.
    std::chrono::microseconds patience{0};  // Until the next one is asked as well.
  };
  Choice choose(const Inquiry& inquiry);

  Surroundings& surroundings() noexcept { return surroundings_; }
  std::size_t next_turn() noexcept { return turn_++; }
  void post(Forwarder::Completion done, Reply reply);
  // It has completed; when it is not waiting, it is destroyed.
  void on_answered(Inquiry& inquiry, bool is_waiting);
  // An upstream may be down now.
  void on_bad() { probes_.schedule(); }

 private:
  using List = std::list<Inquiry>;

  void fail_soon(FailureKind kind, Forwarder::Completion done);

  Surroundings& surroundings_;
  const dns::Name zone_;
  std::size_t turn_ = 0;
  std::vector<std::shared_ptr<Upstream>> upstreams_;
  Probes probes_;
  List active_;
  List lingering_;
};

}  // namespace waypost::resolver
