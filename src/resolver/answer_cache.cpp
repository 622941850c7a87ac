#include "resolver/answer_cache.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <new>
#include <span>
#include <utility>

namespace waypost::resolver {
namespace {

// An answer of typical size takes about this much with what the allocator adds.
constexpr std::size_t TypicalSize = 128;
// A larger one is handed on and not kept.
constexpr std::size_t MaxRecordsSize = 16384;
constexpr std::uint8_t MostUses = 3;
constexpr std::uint32_t StaleTtl = 30;  // RFC 8767, 5
// Answers that live shorter are not worth a question ahead of time.
constexpr std::uint32_t ShortestPrefetchTtl = 10;
// Of the cache's size, what readers may still see of what was taken out.
constexpr std::size_t RetiredPart = 16;

// glibc's malloc() puts the size of a block in front of it, and rounds up.
constexpr std::size_t BlockHead = 8;
constexpr std::size_t BlockUnit = 16;

// Seconds since an answer was stored.  The writer's clock is exact, a reader's coarse clock may be
// a tick behind it, and so in the second before: that is no age yet.
std::uint32_t age_of(std::uint32_t stored, std::uint32_t now) noexcept {
  const std::uint32_t age = now - stored;
  return age > UINT32_MAX / 2 ? 0 : age;
}

template <typename Value>
std::uint8_t* copy_behind(std::uint8_t* to, std::span<const Value> values) noexcept {
  if (!values.empty()) {
    std::memcpy(to, values.data(), values.size_bytes());
  }
  return to + values.size_bytes();
}

template <typename Value>
std::span<const Value> take_behind(const std::uint8_t*& at, std::size_t count) noexcept {
  const auto* const values = reinterpret_cast<const Value*>(at);
  at += count * sizeof(Value);
  return {values, count};
}

// The set of the places of a name.
std::size_t first_of(std::uint64_t hash, std::size_t set_mask, std::size_t ways) noexcept {
  return (hash & set_mask) * ways;
}

}  // namespace

CachedAnswer::CachedAnswer(const Question& question, const PackedRecords& records) noexcept
    : hash_(question.name.hash),
      type_(question.type),
      groups_(static_cast<std::uint16_t>(records.groups.size())),
      pointers_(static_cast<std::uint16_t>(records.pointers.size())),
      ttls_(static_cast<std::uint16_t>(records.ttls.size())),
      octets_(static_cast<std::uint16_t>(records.octets.size())),
      name_size_(static_cast<std::uint8_t>(question.name.size)),
      dnssec_ok_(question.dnssec_ok),
      checking_disabled_(question.checking_disabled) {
  std::uint8_t* to = reinterpret_cast<std::uint8_t*>(this + 1);
  to = copy_behind(to, records.groups);
  to = copy_behind(to, records.pointers);
  to = copy_behind(to, records.ttls);
  to = copy_behind(to, question.name.wire());
  copy_behind(to, records.octets);
}

std::size_t CachedAnswer::size_of(const Question& question, const PackedRecords& records) noexcept {
  const std::size_t size = sizeof(CachedAnswer) + records.groups.size_bytes() +
                           records.pointers.size_bytes() + records.ttls.size_bytes() +
                           question.name.size + records.octets.size();
  return (size + BlockHead + BlockUnit - 1) / BlockUnit * BlockUnit;
}

PackedRecords CachedAnswer::records() const noexcept {
  const auto* at = reinterpret_cast<const std::uint8_t*>(this + 1);
  PackedRecords records;
  records.groups = take_behind<PackedGroup>(at, groups_);
  records.pointers = take_behind<std::uint16_t>(at, pointers_);
  records.ttls = take_behind<std::uint16_t>(at, ttls_);
  records.octets = {at + name_size_, octets_};
  records.origin = static_cast<std::uint16_t>(dns::HeaderSize + name_size_ + 4);
  return records;
}

Bytes CachedAnswer::name() const noexcept {
  return {records().octets.data() - name_size_, name_size_};
}

bool CachedAnswer::has_name_of(const CacheKey& key) const noexcept {
  return hash_ == key.name.hash && dnssec_ok_ == key.dnssec_ok &&
         checking_disabled_ == key.checking_disabled && std::ranges::equal(name(), key.name.wire());
}

AnswerCache::AnswerCache(std::size_t max_bytes)
    : max_bytes_(max_bytes - max_bytes / RetiredPart), retired_(max_bytes / RetiredPart) {
  set_mask_ = std::bit_ceil(std::max<std::size_t>(1, max_bytes / TypicalSize / Ways)) - 1;
}

AnswerCache::~AnswerCache() {
  for (std::size_t i = 0; table_ != nullptr && i < slot_count(); ++i) {
    delete table_[i].load(std::memory_order_relaxed);
  }
}

void AnswerCache::set_times(const CacheTimes& times) noexcept {
  times_ = times;
  stale_time_.store(times.stale, std::memory_order_relaxed);
}

AnswerCache::Found AnswerCache::find(const CacheKey& key, std::uint32_t now) const noexcept {
  const Slot* const slots = slots_.load(std::memory_order_acquire);
  if (slots == nullptr) {
    return {};
  }
  const Slot* const set = slots + first_of(key.name.hash, set_mask_, Ways);
  // A fresh answer before an expired one, and one of the type before one for all types.
  const CachedAnswer* best = nullptr;
  int best_rank = -1;
  for (std::size_t i = 0; i < Ways; ++i) {
    const CachedAnswer* const answer = set[i].load(std::memory_order_acquire);
    if (answer == nullptr || !answer->is_about(key)) {
      continue;
    }
    const int rank =
        (age_of(answer->stored_, now) < answer->ttl_ ? 2 : 0) + (answer->type_ == key.type ? 1 : 0);
    if (rank > best_rank) {
      best = answer;
      best_rank = rank;
    }
  }
  if (best == nullptr) {
    return {};
  }
  // Lost marks do not matter.
  const std::uint8_t uses = best->uses_.load(std::memory_order_relaxed);
  if (uses < MostUses) {
    best->uses_.store(uses + 1, std::memory_order_relaxed);
  }
  const std::uint32_t age = age_of(best->stored_, now);
  if (age >= best->ttl_) {
    const bool is_usable = age - best->ttl_ < stale_time_.load(std::memory_order_relaxed);
    return {is_usable ? State::Stale : State::Miss, false, is_usable ? best : nullptr};
  }
  const bool is_due = best->ttl_ >= ShortestPrefetchTtl && uses == MostUses &&
                      best->ttl_ - age <= best->ttl_ / 10 &&
                      !best->is_claimed_.load(std::memory_order_relaxed);
  return {State::Fresh, is_due, best};
}

const CachedAnswer* AnswerCache::store(const Question& question, Bytes packet,
                                       const dns::Response& response, std::uint32_t now) {
  const AnswerContent& content = reader_.read(question, packet, response);
  const PackedRecords* const records = packer_.pack(question.name, packet, content);
  if (records == nullptr) {
    return nullptr;
  }
  const std::size_t size = CachedAnswer::size_of(question, *records);
  auto answer = std::unique_ptr<CachedAnswer>(new (::operator new(size - BlockHead))
                                                  CachedAnswer(question, *records));
  const bool is_data = content.kind == AnswerContent::Kind::Data;
  const std::uint32_t most = is_data ? times_.max_ttl : times_.max_negative_ttl;
  answer->size_ = static_cast<std::uint32_t>(size);
  answer->rcode_ = response.rcode;
  answer->authentic_data_ = response.authentic_data;
  answer->stored_ = now;
  answer->ttl_ =
      content.ttl == 0 ? 0 : std::min(std::max(content.ttl, std::min(times_.min_ttl, most)), most);
  answer->is_name_error_ = content.kind == AnswerContent::Kind::NoName && content.is_direct;

  const CachedAnswer* const stored = answer.get();
  const std::size_t table_size = slot_count() * sizeof(Slot);
  if (answer->ttl_ == 0 || records->octets.size() > MaxRecordsSize ||
      table_size + size > max_bytes_) {
    loose_ = std::move(answer);
  } else {
    keep(question, std::move(answer));
  }
  return stored;
}

void AnswerCache::keep(const Question& question, std::unique_ptr<const CachedAnswer> answer) {
  if (table_ == nullptr) {
    table_ = std::make_unique<Slot[]>(slot_count());
    bytes_.store(slot_count() * sizeof(Slot), std::memory_order_relaxed);
    slots_.store(table_.get(), std::memory_order_release);
  }
  make_room(answer->size());
  Slot* const set = table_.get() + first_of(question.name.hash, set_mask_, Ways);
  const CacheKey key = question.key();
  // The place of the same question, or an empty one, or that of the least used.
  Slot* place = set;
  int place_rank = 3 + MostUses;  // More than any.
  for (Slot* slot = set; slot != set + Ways; ++slot) {
    const CachedAnswer* const old = slot->load(std::memory_order_relaxed);
    if (old != nullptr && old->is_name_error_ && old->type_ != key.type && old->is_about(key)) {
      put(*slot, nullptr);  // The name is known better now.
    }
    const CachedAnswer* const left = slot->load(std::memory_order_relaxed);
    const int rank = left == nullptr       ? 1
                     : left->is_about(key) ? 0
                                           : 2 + left->uses_.load(std::memory_order_relaxed);
    if (rank < place_rank) {
      place = slot;
      place_rank = rank;
    }
  }
  if (place_rank >= 2) {
    count_eviction(*place->load(std::memory_order_relaxed));
  }
  put(*place, answer.release());
}

std::size_t AnswerCache::flush(const dns::NameKey& name, bool below) {
  std::size_t flushed = 0;
  for (std::size_t i = 0; table_ != nullptr && i < slot_count(); ++i) {
    const CachedAnswer* const answer = table_[i].load(std::memory_order_relaxed);
    if (answer != nullptr && (below ? is_within(answer->name(), name.wire())
                                    : std::ranges::equal(answer->name(), name.wire()))) {
      put(table_[i], nullptr);
      ++flushed;
    }
  }
  return flushed;
}

void AnswerCache::count_eviction(const CachedAnswer& answer) noexcept {
  (answer.is_denial() ? denial_evictions_ : success_evictions_).add();
}

void AnswerCache::put(Slot& slot, const CachedAnswer* next) {
  std::uint64_t entries = entries_.load(std::memory_order_relaxed);
  std::uint64_t denials = denials_.load(std::memory_order_relaxed);
  std::uint64_t bytes = bytes_.load(std::memory_order_relaxed);
  if (next != nullptr) {
    ++entries;
    denials += next->is_denial() ? 1 : 0;
    bytes += next->size();
  }
  std::unique_ptr<const CachedAnswer> old(slot.exchange(next, std::memory_order_acq_rel));
  if (old != nullptr) {
    --entries;
    denials -= old->is_denial() ? 1 : 0;
    bytes -= old->size();
    const std::size_t size = old->size();
    retired_.retire(std::move(old), size);
  }
  entries_.store(entries, std::memory_order_relaxed);
  denials_.store(denials, std::memory_order_relaxed);
  bytes_.store(bytes, std::memory_order_relaxed);
}

// The hand goes round: what was used since it last came by loses a mark, what was not goes.
void AnswerCache::make_room(std::size_t size) {
  const std::size_t count = slot_count();
  // After as many rounds as there are marks nothing has any left.
  for (std::size_t steps = 0; bytes() + size > max_bytes_ && steps < count * (MostUses + 1U);
       ++steps) {
    Slot& slot = table_[hand_];
    hand_ = hand_ + 1 == count ? 0 : hand_ + 1;
    const CachedAnswer* answer = slot.load(std::memory_order_relaxed);
    if (answer == nullptr) {
      continue;
    }
    const std::uint8_t uses = answer->uses_.load(std::memory_order_relaxed);
    if (uses != 0) {
      answer->uses_.store(uses - 1, std::memory_order_relaxed);
    } else {
      count_eviction(*answer);
      put(slot, nullptr);
    }
  }
}

bool write_answer(const CachedAnswer& answer, std::uint32_t now, TtlMode mode, std::uint16_t owner,
                  dns::Rotation& rotation, dns::MessageWriter& out) noexcept {
  const std::uint32_t age = age_of(answer.stored_, now);
  const std::uint32_t ttl =
      mode == TtlMode::Stale30 ? StaleTtl : answer.ttl_ - std::min(answer.ttl_, age);
  return write_records(answer.records(), owner, ttl, rotation, out);
}

}  // namespace waypost::resolver
