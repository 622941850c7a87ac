// Which queries the operator wants to see in the log, and the way of one from the thread that
// answered it to the one that writes lines.
//
// A thread notes each query together with its answer.  If it is one of those that are wanted, and
// due (server/sampling.h), a record of fixed size goes into the thread's own ring; nothing
// allocates, waits or makes a system call, and no clock is read for it.  While more are wanted than
// lines may be written, each record stands for several queries, and says for how many.
//
// Not here: how a line looks and who writes it (ops/query_log_writer.h).

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"
#include "dns/query.h"
#include "dns/types.h"
#include "server/responder.h"
#include "server/sampling.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace waypost::server {

// What became of a query.
enum class QueryClass : std::uint8_t {
  Success = 1,  // NOERROR with a record in the answer section, or cut, or a transfer.
  Denial = 2,   // NXDOMAIN, or NOERROR without a record.
  Error = 4,    // Any other rcode, or no answer at all.
};

// A set of QueryClass, by their values.
using QueryClasses = std::uint8_t;
inline constexpr QueryClasses AllQueryClasses = 7;

// Of the names in `zone` (lower-case wire form), queries of these classes are wanted; of several
// rules, that of the longest zone decides.
struct QueryLogRule {
  std::string zone;
  QueryClasses classes = 0;

  friend bool operator==(const QueryLogRule&, const QueryLogRule&) = default;
};

struct QueryLogOptions {
  static constexpr std::size_t MaxRules = 64;  // Each query is compared with them.

  std::vector<QueryLogRule> rules;       // Zones are different; none: nothing is wanted.
  std::uint32_t lines_per_second = 100;  // At most, of all threads.

  bool is_on() const noexcept;
  friend bool operator==(const QueryLogOptions&, const QueryLogOptions&) = default;
};

struct LoggedQuery {
  static constexpr std::uint16_t NoAnswer = 0xffff;

  IpAddress client;
  std::uint64_t answered_us = 0;  // Moment::uptime_us.
  std::uint64_t waited_us = 0;    // From when it came, where other servers were asked; else 0.
  std::uint32_t weight = 0;       // Queries that it stands for, on average.
  dns::RecordType type{};
  dns::RecordClass record_class{};
  std::uint16_t rcode = NoAnswer;  // dns::Rcode.
  std::uint16_t size = 0;          // Octets of the answer.
  std::uint16_t name_size = 0;
  Transport transport = Transport::Udp;
  bool is_truncated = false;
  bool was_elsewhere = false;  // Other servers, or their cache on another thread, were asked.
  std::array<std::uint8_t, dns::MaxNameSize> octets{};

  // The name as it was sent, in wire form; empty when the query had no question that can be read.
  Bytes name() const noexcept { return Bytes(octets).first(name_size); }
};

// Each place is one thread's; one other thread drains all of them.
class QueryLog {
 public:
  // `places` as those of policy::Policy.  Rings together hold what is written in two seconds, and
  // at least 16 queries each: at most about 320 octets for each of these.
  QueryLog(QueryLogOptions options, std::size_t places, std::uint64_t seed);

  // As given, but with the longest zones first.
  const QueryLogOptions& options() const noexcept { return options_; }

  // The thread of `place`, inside an rcu::ReadSection: `query` was answered with `reply`, which is
  // empty when nothing was sent.
  void note(std::size_t place, const dns::Query& query, const Client& client, dns::Rcode rcode,
            Bytes reply) noexcept;
  // The same of a zone transfer that begins.
  void note_transfer(std::size_t place, const dns::Query& query, const Client& client) noexcept;

  // Hands what was noted since the last call to `use(const LoggedQuery&)`, by places.
  template <typename Use>
  void drain(Use&& use) {
    for (const std::unique_ptr<Ring>& ring : rings_) {
      ring->sampling.drain(
          [&](std::size_t at) { use(static_cast<const LoggedQuery&>(ring->records[at])); });
    }
  }
  // Wanted queries that no record stands for, because a ring was full or the load changed.
  std::uint64_t missed() const noexcept;

 private:
  struct Ring {
    Ring(std::size_t capacity, std::uint64_t seed)
        : records(std::make_unique<LoggedQuery[]>(capacity)), sampling(capacity, seed) {}
    std::unique_ptr<LoggedQuery[]> records;
    Sampling sampling;
  };

  // The classes that are wanted of this query's name.
  QueryClasses wanted(const dns::Query& query) const noexcept;
  void take(Ring& ring, const dns::Query& query, const Client& client, std::uint16_t rcode,
            Bytes reply) noexcept;

  QueryLogOptions options_;                   // Longest zones first.
  std::vector<std::uint8_t> labels_;          // Of each rule's zone.
  QueryClasses any_ = 0;                      // Of all rules.
  std::vector<std::unique_ptr<Ring>> rings_;  // By place.
};

// The class of an answer; `reply` may be empty.
QueryClass class_of(dns::Rcode rcode, Bytes reply) noexcept;

}  // namespace waypost::server
