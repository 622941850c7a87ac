#include "resolver/answer_cache.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <utility>

namespace waypost::resolver {
namespace {

// An answer of typical size takes about this much with what the allocator adds.
constexpr std::size_t TypicalSize = 256;
// A larger one is handed on and not kept.
constexpr std::size_t MaxRecordsSize = 16384;
constexpr std::uint8_t MostUses = 3;
constexpr std::uint32_t StaleTtl = 30;  // RFC 8767, 5
// Answers that live shorter are not worth a question ahead of time.
constexpr std::uint32_t ShortestPrefetchTtl = 10;

// Seconds since an answer was stored.  The writer's clock is exact, a reader's coarse clock may be
// a tick behind it, and so in the second before: that is no age yet.
std::uint32_t age_of(std::uint32_t stored, std::uint32_t now) noexcept {
  const std::uint32_t age = now - stored;
  return age > UINT32_MAX / 2 ? 0 : age;
}

// What stands before a record: section, whether the owner is the question's name, its size if not,
// type, TTL, size of the rdata.
constexpr std::size_t HeadSize = 1 + 1 + 1 + 2 + 4 + 2;

void append(std::vector<std::uint8_t>& to, Bytes octets) {
  to.insert(to.end(), octets.begin(), octets.end());
}

bool is_name(Bytes name, const dns::NameKey& key) noexcept {
  return std::ranges::equal(name, key.wire(), [](std::uint8_t left, std::uint8_t right) {
    return ascii_lower(left) == right;
  });
}

// Writes records in the form that they are kept in.
class Packer {
 public:
  // `rdata` is room for the longest there is.
  Packer(Bytes packet, const dns::NameKey& name, MutableBytes rdata, std::vector<std::uint8_t>& out)
      : packet_(packet), name_(name), rdata_(rdata), out_(out) {}

  // False for one whose names are too long when they are uncompressed.
  bool add(dns::Section section, const dns::ResponseRecord& record) {
    std::array<std::uint8_t, dns::MaxNameSize> owner;
    const Bytes name =
        Bytes(owner).first(dns::expand_name(packet_, record.owner, std::span(owner)));
    const auto size = dns::expand_rdata(packet_, record, rdata_);
    if (!size) {
      return false;
    }
    const bool is_asked = is_name(name, name_);
    std::array<std::uint8_t, HeadSize> head;
    head[0] = static_cast<std::uint8_t>(section);
    head[1] = is_asked ? 1 : 0;
    head[2] = is_asked ? std::uint8_t{0} : static_cast<std::uint8_t>(name.size());
    store_u16(&head[3], std::to_underlying(record.type));
    store_u32(&head[5], record.ttl);
    store_u16(&head[9], static_cast<std::uint16_t>(*size));
    append(out_, head);
    if (!is_asked) {
      append(out_, name);
    }
    append(out_, Bytes(rdata_).first(*size));
    return true;
  }

 private:
  Bytes packet_;
  const dns::NameKey& name_;
  MutableBytes rdata_;
  std::vector<std::uint8_t>& out_;
};

// How long a denial is good for: RFC 2308, 5.  0 without a SOA.
std::uint32_t negative_ttl(Bytes packet, const dns::Response& response) {
  for (const dns::ResponseRecord& record : response.authority()) {
    if (record.type == dns::RecordType::SOA && record.rdata_size >= 4) {
      const std::uint32_t minimum =
          load_u32(packet.data() + record.rdata_at + record.rdata_size - 4);
      return std::min({record.ttl, minimum, AnswerCache::MaxNegativeTtl});
    }
  }
  return 0;
}

// Whether the answer section ends in data of the type that was asked for.
bool is_positive(const dns::Response& response, dns::RecordType type) {
  return response.rcode == dns::Rcode::NoError &&
         std::ranges::any_of(response.answer(), [type](const dns::ResponseRecord& record) {
           return record.type == type || type == dns::RecordType::ANY;
         });
}

}  // namespace

bool CachedAnswer::is_about(const CacheKey& key) const noexcept {
  return hash_ == key.name.hash && type_ == key.type && dnssec_ok_ == key.dnssec_ok &&
         checking_disabled_ == key.checking_disabled && std::ranges::equal(name_, key.name.wire());
}

AnswerCache::AnswerCache(std::size_t max_bytes) : max_bytes_(max_bytes) {
  const std::size_t sets = std::bit_ceil(std::max<std::size_t>(1, max_bytes / TypicalSize / Ways));
  set_mask_ = sets - 1;
  slots_ = std::make_unique<Slot[]>(sets * Ways);
}

AnswerCache::~AnswerCache() {
  for (std::size_t i = 0; i < (set_mask_ + 1) * Ways; ++i) {
    delete slots_[i].load(std::memory_order_relaxed);
  }
}

AnswerCache::Found AnswerCache::find(const CacheKey& key, std::uint32_t now) const noexcept {
  const Slot* set = set_of(key.name.hash);
  for (std::size_t i = 0; i < Ways; ++i) {
    const CachedAnswer* answer = set[i].load(std::memory_order_acquire);
    if (answer == nullptr || !answer->is_about(key)) {
      continue;
    }
    // Lost marks do not matter.
    const std::uint8_t uses = answer->uses_.load(std::memory_order_relaxed);
    if (uses < MostUses) {
      answer->uses_.store(uses + 1, std::memory_order_relaxed);
    }
    const std::uint32_t age = age_of(answer->stored_, now);
    if (age >= answer->ttl_) {
      const bool is_usable = age - answer->ttl_ < StaleTime;
      return {is_usable ? State::Stale : State::Miss, false, is_usable ? answer : nullptr};
    }
    const bool is_due = answer->ttl_ >= ShortestPrefetchTtl && uses == MostUses &&
                        answer->ttl_ - age <= answer->ttl_ / 10;
    const bool is_first = is_due && !answer->is_refreshed_.load(std::memory_order_relaxed) &&
                          !answer->is_refreshed_.exchange(true, std::memory_order_relaxed);
    return {State::Fresh, is_first, answer};
  }
  return {};
}

const CachedAnswer* AnswerCache::store(const Question& question, Bytes packet,
                                       const dns::Response& response, std::uint32_t now) {
  auto answer = std::make_unique<CachedAnswer>();
  answer->name_.assign(question.name.wire().begin(), question.name.wire().end());
  answer->hash_ = question.name.hash;
  answer->type_ = question.type;
  answer->dnssec_ok_ = question.dnssec_ok;
  answer->checking_disabled_ = question.checking_disabled;
  answer->rcode_ = response.rcode;
  answer->authentic_data_ = response.authentic_data;
  answer->stored_ = now;

  const bool positive = is_positive(response, question.type);
  rdata_.resize(dns::MaxMessageSize);
  Packer packer(packet, question.name, rdata_, answer->records_);
  bool is_whole = true;
  answer->ttl_ = positive ? MaxTtl : negative_ttl(packet, response);
  for (const dns::ResponseRecord& record : response.answer()) {
    answer->ttl_ = std::min(answer->ttl_, record.ttl);
    is_whole = packer.add(dns::Section::Answer, record) && is_whole;
  }
  // Of what stands in authority, a denial needs the SOA, and who validates needs the proof.
  for (const dns::ResponseRecord& record : response.authority()) {
    if (question.dnssec_ok || (!positive && record.type == dns::RecordType::SOA)) {
      is_whole = packer.add(dns::Section::Authority, record) && is_whole;
    }
  }
  answer->records_.shrink_to_fit();

  const CachedAnswer* stored = answer.get();
  if (!is_whole || answer->ttl_ == 0 || answer->records_.size() > MaxRecordsSize ||
      answer->size() > max_bytes_) {
    loose_ = std::move(answer);
    return stored;
  }
  make_room(answer->size());
  Slot* set = set_of(question.name.hash);
  const CacheKey key = question.key();
  // The place of the same question, or an empty one, or that of the least used.
  const auto rank = [&](const Slot& slot) {
    const CachedAnswer* old = slot.load(std::memory_order_relaxed);
    return old == nullptr       ? 1
           : old->is_about(key) ? 0
                                : 2 + old->uses_.load(std::memory_order_relaxed);
  };
  Slot* place = std::min_element(set, set + Ways, [&](const Slot& left, const Slot& right) {
    return rank(left) < rank(right);
  });
  if (rank(*place) >= 2) {
    evictions_.add();
  }
  put(*place, answer.release());
  return stored;
}

void AnswerCache::put(Slot& slot, const CachedAnswer* next) {
  std::uint64_t entries = entries_.load(std::memory_order_relaxed);
  std::uint64_t bytes = bytes_.load(std::memory_order_relaxed);
  if (next != nullptr) {
    ++entries;
    bytes += next->size();
  }
  std::unique_ptr<const CachedAnswer> old(slot.exchange(next, std::memory_order_acq_rel));
  if (old != nullptr) {
    --entries;
    bytes -= old->size();
    const std::size_t size = old->size();
    retired_.retire(std::move(old), size);
  }
  entries_.store(entries, std::memory_order_relaxed);
  bytes_.store(bytes, std::memory_order_relaxed);
}

// The hand goes round: what was used since it last came by loses a mark, what was not goes.
void AnswerCache::make_room(std::size_t size) {
  const std::size_t count = (set_mask_ + 1) * Ways;
  // After as many rounds as there are marks nothing has any left.
  for (std::size_t steps = 0; bytes() + size > max_bytes_ && steps < count * (MostUses + 1U);
       ++steps) {
    Slot& slot = slots_[hand_];
    hand_ = hand_ + 1 == count ? 0 : hand_ + 1;
    const CachedAnswer* answer = slot.load(std::memory_order_relaxed);
    if (answer == nullptr) {
      continue;
    }
    const std::uint8_t uses = answer->uses_.load(std::memory_order_relaxed);
    if (uses != 0) {
      answer->uses_.store(uses - 1, std::memory_order_relaxed);
    } else {
      evictions_.add();
      put(slot, nullptr);
    }
  }
}

bool write_answer(const CachedAnswer& answer, std::uint32_t now, TtlMode mode, std::uint16_t owner,
                  dns::MessageWriter& out) noexcept {
  const std::uint32_t age = age_of(answer.stored_, now);
  const Bytes records(answer.records_);
  for (std::size_t at = 0; at < records.size();) {
    const std::uint8_t* head = records.data() + at;
    const Bytes name = records.subspan(at + HeadSize, head[2]);
    const Bytes rdata = records.subspan(at + HeadSize + head[2], load_u16(head + 9));
    at += HeadSize + name.size() + rdata.size();
    const std::uint32_t ttl = std::min(load_u32(head + 5), answer.ttl_);
    const std::uint32_t told = mode == TtlMode::Stale30 ? StaleTtl : ttl - std::min(ttl, age);
    const dns::NameParts asked =
        owner != 0 ? dns::NameParts::at(owner) : dns::NameParts::whole(Bytes(answer.name_));
    if (!out.add_record(
            static_cast<dns::Section>(head[0]), head[1] != 0 ? asked : dns::NameParts::whole(name),
            static_cast<dns::RecordType>(load_u16(head + 3)), dns::RecordClass::IN, told, rdata)) {
      return false;
    }
  }
  return true;
}

}  // namespace waypost::resolver
