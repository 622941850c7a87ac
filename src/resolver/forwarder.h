// Asks other servers: one question goes to the upstream that is likely to answer soonest, to the
// next when that one is late or answers badly, and comes back as one checked response or as the
// reason why there is none.
//
//   Forwarder      which upstreams own a name (default, or those of the longest stub domain)
//   UpstreamSet    in what order they are asked, when the next one is, which of them are down
//   Exchange       one question to one upstream: UDP, TCP, TLS; what comes back is checked
//
// Not here: the cache, questions that are asked at the same time, clients (resolver/resolver.h).

#pragma once

#include "base/alarm.h"
#include "base/error.h"
#include "base/random.h"
#include "base/timer.h"
#include "dns/name.h"
#include "dns/query.h"
#include "resolver/forward_failure.h"
#include "resolver/question.h"
#include "resolver/upstream_address.h"
#include "resolver/upstream_report.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace waypost::resolver {

// In what order upstreams are asked.
enum class Policy : std::uint8_t {
  Ranked,      // By what they did lately: latency and loss; now and then another one, to know it.
  Random,      // A random one, then the others at random.
  Sequential,  // As they are listed.
  RoundRobin,  // Beginning with the one behind the last query's.
};

struct ForwarderOptions {
  Policy policy = Policy::Ranked;
  // Questions go out in random case, which comes back in the answer (0x20): a few more bits that
  // somebody who spoofs has to guess.
  bool query_case = true;
  // How long one upstream is waited for.
  std::chrono::milliseconds upstream_timeout{2000};
  // Questions at one time for each set of upstreams, those that are answered but are still waited
  // for at a slow upstream included.
  std::size_t max_in_flight = 1000;
  // Certificates in PEM that vouch for tls:// upstreams; empty: the system's.
  std::string tls_authority;
  // False: any server is believed (the opportunistic profile of RFC 7858, 4.1).
  bool tls_verifies = true;
};

// A zone whose names are asked elsewhere.
struct StubDomain {
  dns::Name zone;
  std::vector<UpstreamAddress> upstreams;
};

struct ForwardTable {
  // For every name that no stub domain owns.  May be empty.
  std::vector<UpstreamAddress> upstreams;
  std::vector<StubDomain> stub_domains;
};

// Used on the thread of its executor alone.
class Forwarder {
 public:
  using Completion = std::function<void(Reply)>;
  using EventSink = std::function<void(const UpstreamEvent&)>;

  // For each table: more of them are an error of configure().
  static constexpr std::size_t MaxUpstreams = 15;  // Of one set.
  static constexpr std::size_t MaxStubDomains = 1000;

  // `clock` and `random` are borrowed.  Nobody can be asked before configure().
  Forwarder(boost::asio::any_io_executor executor, AlarmClock& clock, Random& random,
            EventSink on_event);
  // Questions that are under way complete with Stopped, from the event loop.
  ~Forwarder();
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  // Replaces options and upstreams; what is known about those that stay is kept.  Questions
  // that are under way wait for whom they asked, and go on with the new ones; those for a stub
  // domain that is gone complete with Stopped.  Not to be called by `on_event`.  Fails with
  // InvalidInput for certificates that cannot be used, too many upstreams, or a zone that is named
  // twice; all is as before then.
  Result<void> configure(const ForwarderOptions& options, const ForwardTable& table);

  // False when nobody can be asked about the name: no stub domain owns it, and there are no
  // upstreams by default.
  bool has_upstreams(const dns::NameKey& name) const noexcept;

  // Completes once, from the event loop, by about the deadline: with a whole message, not
  // truncated, of at most MaxMessageSize octets, whose question is `question`, or with the reason
  // why there is none.  An rcode other than NoError and NxDomain is one on which all upstreams
  // agree.
  void ask(const Question& question, Effort effort, Completion done);
  boost::asio::awaitable<Reply> ask(Question question, Effort effort);

  // True for a question of ours to find out whether an upstream sends questions back here (a loop):
  // it did, and is not asked for a while.  Such a question is to be refused.
  bool is_probe(const Question& question);

  // What is known about each upstream, for metrics: the default ones, then those of stub domains by
  // name.
  std::vector<UpstreamReport> report() const;
  // Questions that came while each upstream for them was down or looping: one that is down is asked
  // all the same, one that loops is not.  For any thread, unlike the rest.
  std::uint64_t without_good_upstream() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace waypost::resolver
