// How much each client may ask: token buckets in a table of fixed size.
//
// A bucket is one number, the time at which it is full again (the generic cell rate algorithm): no
// timer fills it.  Buckets live in sets of one cache line, where a client that is new takes the
// place of the one that has been quiet for longest; whose bucket is full again loses nothing by
// that.  All threads share one table, so that a client has one bucket whichever worker its queries
// come to. No lock and no allocation; each call makes a bounded number of attempts.

#pragma once

#include "base/ip_address.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace waypost::policy {

// What is done about a query above the limit.
enum class LimitAction : std::uint8_t {
  Refuse,    // REFUSED.
  Truncate,  // Over UDP an empty answer with TC, so that who gave its true address comes back over
             // TCP; REFUSED over TCP.
  Drop,      // Silence.
};

struct RateLimit {
  std::uint32_t rate = 0;   // Queries in a second, at most 1 000 000; 0: there is no limit.
  std::uint32_t burst = 0;  // Queries at once, 1 to 100 000.
  LimitAction action = LimitAction::Refuse;
  // What is one client: addresses that agree in so many bits.
  unsigned prefix_v4 = 32;
  unsigned prefix_v6 = 128;
  std::uint32_t clients = 65536;  // Buckets, 8 octets each; rounded up to a power of two.
  std::vector<IpPrefix> exempt;

  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

// Any thread.
class ClientBuckets {
 public:
  // `seed` is random, so that nobody can choose addresses that share a set.  REQUIRES: limit.rate
  // is not 0.
  ClientBuckets(const RateLimit& limit, std::uint64_t seed);

  enum class Verdict : std::uint8_t {
    Granted,
    Evicted,  // Granted, and another client's bucket that was not full had to make room.
    Denied,
  };

  // Takes one token of `client`'s.  `now` is in microseconds of a monotonic clock that all callers
  // share.
  Verdict take(const IpAddress& client, std::uint64_t now) noexcept;

  const RateLimit& limit() const noexcept { return limit_; }

 private:
  static constexpr std::size_t SetSize = 8;
  struct alignas(64) Set {
    // 24 bits of the client's hash, 40 bits of the time at which the bucket is full.  0: nobody's.
    std::array<std::atomic<std::uint64_t>, SetSize> buckets;
  };

  std::uint64_t hash(const IpAddress& client) const noexcept;
  // How far the time in `bucket` lies ahead of `now`; 0 when it has passed.
  std::uint64_t ahead(std::uint64_t bucket, std::uint64_t now) const noexcept;

  const RateLimit limit_;
  const std::uint64_t seed_;
  const std::uint64_t cost_;      // Of one query, in microseconds.
  const std::uint64_t capacity_;  // Of a bucket, likewise.
  const std::size_t set_count_;   // A power of two.
  const std::unique_ptr<Set[]> sets_;
};

}  // namespace waypost::policy
