// Answers of other servers, kept until they expire and, for want of better ones, a while longer.
//
// A table of sets of a few places each: an answer has its place in the set that its name's hash
// says.  Readers follow one pointer to an answer that never changes; the writer swaps pointers and
// frees what it took out once no reader can see it.  What was used since the hand last came by
// stays, so that names that are asked once do not push out those that are asked often.
//
// An answer is kept for one type, that a name does not exist for all of them (RFC 2308, 5).
//
// Not here: which records are kept (resolver/answer_content.h) and in what form
// (resolver/answer_packer.h), when a question is asked anew (resolver/resolver.h).

#pragma once

#include "base/bytes.h"
#include "base/counter.h"
#include "base/rcu.h"
#include "dns/lookup.h"
#include "dns/message_writer.h"
#include "dns/query.h"
#include "dns/response.h"
#include "dns/types.h"
#include "resolver/answer_content.h"
#include "resolver/answer_packer.h"
#include "resolver/question.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace waypost::resolver {

enum class TtlMode : std::uint8_t {
  CountDown,  // What is left of each TTL.
  Stale30,    // 30 seconds (RFC 8767, 5).
};

// Immutable but for the marks of its use.  One allocation: its name and records stand behind it.
class CachedAnswer {
 public:
  // Made by AnswerCache.
  static void operator delete(void* memory) noexcept { ::operator delete(memory); }

  dns::Rcode rcode() const noexcept { return rcode_; }
  bool authentic_data() const noexcept { return authentic_data_; }
  // Whether there is anything in the answer section.
  bool has_records() const noexcept {
    return groups_ != 0 && records().groups.front().section == dns::Section::Answer;
  }
  bool is_denial() const noexcept { return rcode_ != dns::Rcode::NoError || !has_records(); }
  // True for the one reader that is to have it asked for again (AnswerCache::Found::is_due), once
  // nothing keeps that reader from doing so.
  bool claim() const noexcept { return !is_claimed_.exchange(true, std::memory_order_relaxed); }

 private:
  friend class AnswerCache;
  friend bool write_answer(const CachedAnswer& answer, std::uint32_t now, TtlMode mode,
                           std::uint16_t owner, dns::Rotation& rotation,
                           dns::MessageWriter& out) noexcept;

  CachedAnswer(const Question& question, const PackedRecords& records) noexcept;
  // How much an answer takes, with what an allocator adds.
  static std::size_t size_of(const Question& question, const PackedRecords& records) noexcept;

  bool has_name_of(const CacheKey& key) const noexcept;
  bool is_about(const CacheKey& key) const noexcept {
    return (type_ == key.type || is_name_error_) && has_name_of(key);
  }
  Bytes name() const noexcept;
  PackedRecords records() const noexcept;
  std::size_t size() const noexcept { return size_; }

  std::uint64_t hash_;
  std::uint32_t size_ = 0;    // Octets allocated.
  std::uint32_t stored_ = 0;  // Seconds of the monotonic clock.
  std::uint32_t ttl_ = 0;     // Seconds.
  dns::RecordType type_;
  dns::Rcode rcode_ = dns::Rcode::NoError;
  // What stands behind, in this order.
  std::uint16_t groups_;
  std::uint16_t pointers_;
  std::uint16_t ttls_;
  std::uint16_t octets_;
  std::uint8_t name_size_;  // Lower case, wire form.
  bool dnssec_ok_;
  bool checking_disabled_;
  bool authentic_data_ = false;
  bool is_name_error_ = false;                 // For all types.
  mutable std::atomic<std::uint8_t> uses_{0};  // Saturating; the hand takes from it.
  mutable std::atomic<bool> is_claimed_{false};
};

// For how long answers are kept, in seconds.
struct CacheTimes {
  std::uint32_t min_ttl = 0;              // What has a smaller TTL is kept as long; 0 stays 0.
  std::uint32_t max_ttl = 86400;          // Of what exists (RFC 8767, 4: a day).
  std::uint32_t max_negative_ttl = 3600;  // RFC 2308, 5: one to three hours.
  std::uint32_t stale = 3600;             // After it has expired (RFC 8767, 5: one to three days).

  friend bool operator==(const CacheTimes&, const CacheTimes&) = default;
};

// `now` is in seconds of the monotonic clock.  One writer; const functions are for any number of
// readers, each inside an rcu::ReadSection, and for the writer.
class AnswerCache {
 public:
  // At most `max_bytes`, with the table and what readers may still see; 0: nothing is kept.
  // Nothing is allocated before the first answer.
  explicit AnswerCache(std::size_t max_bytes);
  ~AnswerCache();
  AnswerCache(const AnswerCache&) = delete;
  AnswerCache& operator=(const AnswerCache&) = delete;

  enum class State : std::uint8_t { Miss, Fresh, Stale };
  struct Found {
    State state = State::Miss;
    bool is_due = false;  // Popular, about to expire, and nobody has claimed its renewal.
    const CachedAnswer* answer = nullptr;
  };
  Found find(const CacheKey& key, std::uint32_t now) const noexcept;

  // Takes the answer over, in the place of an older one.  What is returned is good until the next
  // call, also if it is not kept: its TTL is 0, it is negative without the SOA of a zone that holds
  // the name (RFC 2308, 5), or too large.  nullptr for records that do not fit into a message.
  const CachedAnswer* store(const Question& question, Bytes packet, const dns::Response& response,
                            std::uint32_t now);

  // For what is stored from now on; `stale` for all.
  void set_times(const CacheTimes& times) noexcept;

  // Removes the answers to questions for `name`, and for names below it if `below`; returns how
  // many there were.  Looks at every answer.
  std::size_t flush(const dns::NameKey& name, bool below);

  // Read by any thread.
  std::uint64_t entries() const noexcept { return entries_.load(std::memory_order_relaxed); }
  std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
  std::uint64_t evictions() const noexcept {
    return success_evictions_.value() + denial_evictions_.value();
  }
  // The ones that deny something, and the others.
  std::uint64_t denials() const noexcept { return denials_.load(std::memory_order_relaxed); }
  std::uint64_t success_evictions() const noexcept { return success_evictions_.value(); }
  std::uint64_t denial_evictions() const noexcept { return denial_evictions_.value(); }

 private:
  using Slot = std::atomic<const CachedAnswer*>;
  static constexpr std::size_t Ways = 4;

  std::size_t slot_count() const noexcept { return (set_mask_ + 1) * Ways; }
  void keep(const Question& question, std::unique_ptr<const CachedAnswer> answer);
  void put(Slot& slot, const CachedAnswer* next);
  void count_eviction(const CachedAnswer& answer) noexcept;
  void make_room(std::size_t size);

  const std::size_t max_bytes_;
  std::size_t set_mask_ = 0;
  std::size_t hand_ = 0;
  CacheTimes times_;
  std::atomic<std::uint32_t> stale_time_{CacheTimes{}.stale};
  std::unique_ptr<Slot[]> table_;
  std::atomic<Slot*> slots_{nullptr};  // What readers see of it; nullptr before the first answer.
  ContentReader reader_;
  AnswerPacker packer_;
  std::unique_ptr<const CachedAnswer> loose_;  // The last answer that was not kept.
  rcu::RetireList retired_;
  std::atomic<std::uint64_t> entries_{0};
  std::atomic<std::uint64_t> denials_{0};
  std::atomic<std::uint64_t> bytes_{0};
  Counter success_evictions_;
  Counter denial_evictions_;
};

// Adds the records of `answer`.  `owner` is where the name that was asked for stands in the
// message, uncompressed.  False when one RRset does not fit; those before it stay.
bool write_answer(const CachedAnswer& answer, std::uint32_t now, TtlMode mode, std::uint16_t owner,
                  dns::Rotation& rotation, dns::MessageWriter& out) noexcept;

}  // namespace waypost::resolver
