// From one request to one response: the data path, without sockets.
//
// Reads as the protocol does: read the query, choose the zone, solve, follow CNAMEs, add authority
// and EDNS.  No allocation, lock, log or system call.
//
// Not here: receiving and sending (server/udp_worker.h, server/tcp_session.h), what a zone holds.

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"
#include "dns/edns.h"
#include "dns/lookup.h"
#include "dns/query.h"
#include "policy/policy.h"
#include "records/index.h"
#include "resolver/question.h"
#include "resolver/resolution.h"
#include "search/walk.h"
#include "server/counters.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::zones {
class ZoneSet;
}

namespace waypost::search {
class PodDirectory;
}

namespace waypost::server {

class QueryLog;

// What an operator may choose about responses as such.  Immutable once published.
struct AnswerPolicy {
  std::uint16_t udp_size = 1232;  // The most octets in a UDP answer with EDNS.
  bool cookies = true;            // RFC 7873
  dns::CookieMaker::Secret cookie_secret{};
  std::string nsid;                      // Empty: the option is not answered (RFC 5001).
  std::string chaos_version;             // version.bind; empty: REFUSED.
  std::string chaos_id;                  // id.server; empty: REFUSED.
  std::vector<IpPrefix> transfer_allow;  // Who may ask for AXFR and IXFR; empty: nobody.
  // A or AAAA: of names that nobody here owns there are none.  Otherwise 0.
  dns::RecordType unusable{};
};

// What workers read.  The control thread stores, workers load inside an rcu::ReadSection.  All are
// set before the first worker starts; what they point to is retired by the control thread.
struct Views {
  std::atomic<const records::Index*> index{nullptr};
  std::atomic<const zones::ZoneSet*> zones{nullptr};
  std::atomic<const AnswerPolicy*> policy{nullptr};
  // What comes before zones; null: nothing.
  std::atomic<const policy::Policy*> rules{nullptr};
  // Answers to names that nobody here owns; null: such names are refused.  Stays where it is until
  // the last worker has ended.
  std::atomic<const resolver::AnswerCache*> answers{nullptr};
  // Whose names are completed (search/walk.h); null: nobody's.
  std::atomic<const search::PodDirectory*> pods{nullptr};
  // What queries are told to that people want to see (server/query_log.h); null: nobody does.
  std::atomic<QueryLog*> query_log{nullptr};
  // The cluster's names are old: from a saved state, or from a source that was lost too long ago.
  // Answers say so (RFC 8914, 4.4).
  std::atomic<bool> is_stale{false};
};

// Where threads have their place in a policy::Policy: whoever tries a query out, on the control
// thread; the resolver's thread; then each worker.
inline constexpr std::size_t TrialPlace = 0;
inline constexpr std::size_t ResolverPlace = 1;
inline constexpr std::size_t FirstWorkerPlace = 2;

// The time of a batch, so that no clock is read for each query.
struct Moment {
  std::uint32_t unix_seconds = 0;  // For cookies.
  std::uint32_t uptime = 0;        // Seconds of the monotonic clock, for the cache.
  std::uint64_t uptime_us = 0;     // The same in microseconds, for limits and durations.

  // No system call.
  static Moment now() noexcept;
  // How many have passed since `uptime_us`.
  static std::uint64_t us_since(std::uint64_t uptime_us) noexcept;
};

struct Client {
  IpAddress address;
  Transport transport = Transport::Udp;
  Moment time;
  // When a query came that other servers have to be asked about, as Moment::uptime_us; otherwise 0.
  std::uint64_t since_us = 0;
  // Somebody only looks what would be answered: no limits and rules of access are for them.
  bool is_trial = false;
};

// What to do with a request.
struct Reply {
  std::size_t size = 0;  // Octets in the buffer; 0: say nothing.
  bool transfer =
      false;  // A zone transfer that is allowed: `size` is 0, the session asks the control thread.
  // Not known here: `size` is 0, and elsewhere() has to be resolved first.
  bool resolve = false;
  bool is_from_cache = false;
  bool is_denial = false;  // There is nothing in the answer section, or an error.
  // Answered from the cache, and popular: elsewhere() is worth being asked for again, before the
  // answer expires.
  bool refresh = false;
};

class Answer;

// One per worker; used by that thread alone.
class Responder {
 public:
  // All are borrowed and outlive this object.  `seed` starts the rotation of record sets.
  // `place` is its own among those that read the same views, below policy::Policy's readers.
  Responder(const Views& views, Counters& counters, std::uint64_t seed,
            std::size_t place = TrialPlace) noexcept;

  // Answers `request` into `out`, which holds at least 512 octets for UDP (more are used as EDNS
  // and policy allow) and 65535 for TCP.  Call inside an rcu::ReadSection.
  Reply respond(Bytes request, const Client& client, MutableBytes out) noexcept;

  // The same for several requests in two steps, so that the CPU waits for the memory of all of
  // their answers at once and not for one after the other: reads at most MaxRequests requests,
  // which are borrowed until the last of them is answered or the next ones are read…
  static constexpr std::size_t MaxRequests = 16;
  void read(std::span<const Bytes> requests) noexcept;
  // …and answers the one at `index` of them.  Both inside the same rcu::ReadSection.
  Reply answer(std::size_t index, const Client& client, MutableBytes out) noexcept;

  // As respond(), for a request that was not answered before.  Where its names lead to the question
  // of `resolution`, that is the answer; null: the cache is asked again.  Not counted as a query.
  // `progress` is that of the request, empty at first; null where nothing is to be remembered.
  Reply resume(Bytes request, const Client& client, const resolver::Resolution* resolution,
               search::WalkProgress* progress, MutableBytes out) noexcept;

  // Answers SERVFAIL with this text, right after the answer to the request at `index` (0 after
  // respond()) was Reply::resolve, in the same rcu::ReadSection.
  Reply refuse(std::size_t index, const Client& client, std::string_view text,
               MutableBytes out) noexcept;

  // What the last request led to that nobody here owns; valid until the next one, after Reply::
  // resolve or refresh.
  const resolver::Question& elsewhere() const noexcept { return elsewhere_; }

 private:
  struct Request {
    dns::ReadVerdict verdict = dns::ReadVerdict::Drop;
    std::size_t size = 0;  // Octets.
    dns::Query query;
    records::Index::Search search;  // For the query's name in index_; set if it is to be answered.
  };

  void read(Bytes packet, Request& request) noexcept;
  void count(const Request& request, const Client& client) noexcept;

  Reply reply_to(Request& request, const Client& client, const resolver::Resolution* resolution,
                 search::WalkProgress* progress, MutableBytes out) noexcept;
  // What is to be done after the part of an answer that is about its question.
  enum class Course : std::uint8_t {
    Send,      // The answer is complete but for OPT.
    Silence,   // There is no answer.
    Transfer,  // The question is an allowed zone transfer, which is not answered here.
  };
  Course answer_question(Request& request, const Client& client, const AnswerPolicy& policy,
                         const resolver::Resolution* resolution, Answer& answer,
                         dns::MessageWriter& writer) noexcept;
  // What the rules make of a query of class IN; nothing when zones are asked.
  std::optional<Course> follow_rules(const policy::Policy& rules, const Request& request,
                                     const Client& client, const AnswerPolicy& policy,
                                     const resolver::Resolution* resolution, Answer& answer,
                                     dns::MessageWriter& writer) noexcept;
  std::optional<Course> decide(const policy::AccessRule& rule, Answer& answer) noexcept;
  // Rewritten: the name is another one now, which `room` holds.
  policy::Rewriter::Outcome rewrite(const policy::Policy& rules, const dns::NameKey& name,
                                    policy::Room* room) noexcept;
  void answer_rewritten(const policy::Policy& rules, policy::Room& room, const Request& request,
                        const Client& client, const AnswerPolicy& policy,
                        const resolver::Resolution* resolution, Answer& answer,
                        dns::MessageWriter& writer) noexcept;
  void count(const Answer& answer) noexcept;
  // The log that `client`'s queries are told to; null: none.
  QueryLog* log_for(const Client& client) const noexcept {
    QueryLog* const log = views_.query_log.load(std::memory_order_acquire);
    return log != nullptr && !client.is_trial ? log : nullptr;
  }
  std::optional<Course> limit(const policy::Policy& rules, const Client& client, Answer& answer,
                              dns::MessageWriter& writer) noexcept;
  void add_opt(const dns::Query& query, const Client& client, const AnswerPolicy& policy,
               const Answer& answer, dns::MessageWriter& writer) noexcept;

  const Views& views_;
  Counters& counters_;
  const std::size_t place_;
  const records::Index* index_ = nullptr;  // The one that requests_ were read with.
  dns::Rotation rotation_;
  bool is_first_look_ = true;  // At the request in hand: clients are charged for it, rules counted.
  std::array<Request, MaxRequests> requests_;
  Request rewritten_;  // What one of them was rewritten to.
  // Targets of CNAMEs, taken in turns: one is asked about while the next is found.
  dns::Target first_;
  dns::Target second_;
  resolver::Question elsewhere_;
};

}  // namespace waypost::server
