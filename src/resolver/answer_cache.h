// Answers of other servers, kept until they expire and, for want of better ones, a while longer.
//
// A table of sets of a few places each: an answer has its place in the set that its name's hash
// says.  Readers follow one pointer to an answer that never changes; the writer swaps pointers and
// frees what it took out once no reader can see it.  What was used since the hand last came by
// stays, so that names that are asked once do not push out those that are asked often.
//
// Kept is what the answer needs: no OPT, no additional records, names uncompressed, owners that are
// the question's name marked as such, so that an answer is in the case of whoever asks.
//
// Not here: when a question is asked anew (resolver/resolver.h).

#pragma once

#include "base/bytes.h"
#include "base/counter.h"
#include "base/rcu.h"
#include "dns/message_writer.h"
#include "dns/query.h"
#include "dns/response.h"
#include "dns/types.h"
#include "resolver/question.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace waypost::resolver {

enum class TtlMode : std::uint8_t {
  CountDown,  // What is left of each TTL.
  Stale30,    // 30 seconds (RFC 8767, 5).
};

// Immutable but for the marks of its use.
class CachedAnswer {
 public:
  dns::Rcode rcode() const noexcept { return rcode_; }
  bool authentic_data() const noexcept { return authentic_data_; }

 private:
  friend class AnswerCache;
  friend bool write_answer(const CachedAnswer& answer, std::uint32_t now, TtlMode mode,
                           std::uint16_t owner, dns::MessageWriter& out) noexcept;

  bool is_about(const CacheKey& key) const noexcept;
  std::size_t size() const noexcept { return sizeof *this + name_.size() + records_.size(); }

  std::vector<std::uint8_t> name_;  // Lower case, wire form.
  std::uint64_t hash_ = 0;
  dns::RecordType type_{};
  bool dnssec_ok_ = false;
  bool checking_disabled_ = false;
  dns::Rcode rcode_ = dns::Rcode::NoError;
  bool authentic_data_ = false;
  std::uint32_t stored_ = 0;  // Seconds of the monotonic clock.
  std::uint32_t ttl_ = 0;     // Seconds; no record is told with more.
  std::vector<std::uint8_t> records_;
  mutable std::atomic<std::uint8_t> uses_{0};  // Saturating; the hand takes from it.
  mutable std::atomic<bool> is_refreshed_{false};
};

// `now` is in seconds of the monotonic clock.  One writer; const functions are for any number of
// readers, each inside an rcu::ReadSection, and for the writer.
class AnswerCache {
 public:
  static constexpr std::uint32_t MaxTtl = 86400;         // Of what exists (RFC 8767, 4: a day).
  static constexpr std::uint32_t MaxNegativeTtl = 3600;  // RFC 2308, 5: one to three hours.
  static constexpr std::uint32_t StaleTime = 3600;       // After it has expired.

  // At most about `max_bytes` of answers; 0: none is kept.
  explicit AnswerCache(std::size_t max_bytes);
  ~AnswerCache();
  AnswerCache(const AnswerCache&) = delete;
  AnswerCache& operator=(const AnswerCache&) = delete;

  enum class State : std::uint8_t { Miss, Fresh, Stale };
  struct Found {
    State state = State::Miss;
    bool wants_prefetch = false;  // Popular and about to expire; told to one reader only.
    const CachedAnswer* answer = nullptr;
  };
  Found find(const CacheKey& key, std::uint32_t now) const noexcept;

  // Takes the answer over, in the place of an older one.  What is returned is good until the next
  // call, also if it is not kept: its TTL is 0, it is negative without a SOA (RFC 2308, 5), or
  // too large.
  const CachedAnswer* store(const Question& question, Bytes packet, const dns::Response& response,
                            std::uint32_t now);

  // Read by any thread.
  std::uint64_t entries() const noexcept { return entries_.load(std::memory_order_relaxed); }
  std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
  std::uint64_t evictions() const noexcept { return evictions_.value(); }

 private:
  using Slot = std::atomic<const CachedAnswer*>;
  static constexpr std::size_t Ways = 4;

  Slot* set_of(std::uint64_t hash) const noexcept { return &slots_[(hash & set_mask_) * Ways]; }
  void put(Slot& slot, const CachedAnswer* next);
  void make_room(std::size_t size);

  const std::size_t max_bytes_;
  std::size_t set_mask_ = 0;
  std::size_t hand_ = 0;
  std::unique_ptr<Slot[]> slots_;
  std::vector<std::uint8_t> rdata_;            // Of the record that is being stored.
  std::unique_ptr<const CachedAnswer> loose_;  // The last answer that was not kept.
  rcu::RetireList retired_;
  std::atomic<std::uint64_t> entries_{0};
  std::atomic<std::uint64_t> bytes_{0};
  Counter evictions_;
};

// Adds the records of `answer`.  `owner` is where the name that was asked for stands in the
// message; 0: nowhere that can be pointed to.  False when one does not fit; those before it stay.
bool write_answer(const CachedAnswer& answer, std::uint32_t now, TtlMode mode, std::uint16_t owner,
                  dns::MessageWriter& out) noexcept;

}  // namespace waypost::resolver
