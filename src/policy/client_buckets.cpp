#include "policy/client_buckets.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace waypost::policy {
namespace {

constexpr unsigned TimeBits = 40;  // Twelve days in microseconds; then it begins again.
constexpr std::uint64_t TimeMask = (std::uint64_t{1} << TimeBits) - 1;
// When others change the same bucket so often meanwhile, the query is let through.
constexpr int MaxAttempts = 8;

std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

// The first `length` bits of the eight octets at `from`.
std::uint64_t load_bits(const std::uint8_t* from, unsigned length) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, from, sizeof word);
  if constexpr (std::endian::native == std::endian::little) {
    word = __builtin_bswap64(word);
  }
  return length == 0 ? 0 : word & (~std::uint64_t{0} << (64U - std::min(length, 64U)));
}

}  // namespace

ClientBuckets::ClientBuckets(const RateLimit& limit, std::uint64_t seed)
    : limit_(limit),
      seed_(seed),
      cost_(1'000'000 / std::max<std::uint32_t>(limit.rate, 1)),
      capacity_(cost_ * std::max<std::uint32_t>(limit.burst, 1)),
      set_count_(std::bit_ceil(std::max<std::size_t>(limit.clients, SetSize)) / SetSize),
      sets_(std::make_unique<Set[]>(set_count_)) {}

std::uint64_t ClientBuckets::hash(const IpAddress& client) const noexcept {
  const unsigned length =
      client.is_v4() ? 96 + std::min(limit_.prefix_v4, 32U) : std::min(limit_.prefix_v6, 128U);
  const std::uint8_t* octets = client.mapped().data();
  const std::uint64_t high = load_bits(octets, std::min(length, 64U));
  const std::uint64_t low = load_bits(octets + 8, length > 64 ? length - 64 : 0);
  return mix(mix(high ^ seed_, low ^ 0x9e3779b97f4a7c15ULL) ^ seed_, 0xd6e8feb86659fd93ULL);
}

std::uint64_t ClientBuckets::ahead(std::uint64_t bucket, std::uint64_t now) const noexcept {
  const std::uint64_t difference = (bucket - now) & TimeMask;
  // No bucket is ever further ahead than its capacity: what seems to be has begun again since.
  return difference <= capacity_ ? difference : 0;
}

ClientBuckets::Verdict ClientBuckets::take(const IpAddress& client, std::uint64_t now) noexcept {
  const std::uint64_t hashed = hash(client);
  Set& set = sets_[hashed & (set_count_ - 1)];
  const std::uint64_t tag = std::max<std::uint64_t>(hashed >> TimeBits, 1);
  for (int attempt = 0; attempt < MaxAttempts; ++attempt) {
    std::atomic<std::uint64_t>* place = nullptr;
    std::uint64_t before = 0;
    std::uint64_t least = ~std::uint64_t{0};
    for (std::atomic<std::uint64_t>& bucket : set.buckets) {
      const std::uint64_t word = bucket.load(std::memory_order_relaxed);
      if (word >> TimeBits == tag) {
        place = &bucket;
        before = word;
        break;
      }
      if (const std::uint64_t left = word == 0 ? 0 : ahead(word, now); left < least) {
        least = left;
        place = &bucket;
        before = word;
      }
    }
    const bool is_known = before >> TimeBits == tag;
    const std::uint64_t used = is_known ? ahead(before, now) : 0;
    if (used + cost_ > capacity_) {
      return Verdict::Denied;
    }
    const std::uint64_t after = (tag << TimeBits) | ((now + used + cost_) & TimeMask);
    // Relaxed: the word is all there is.
    if (place->compare_exchange_weak(before, after, std::memory_order_relaxed)) {
      return !is_known && least != 0 ? Verdict::Evicted : Verdict::Granted;
    }
  }
  return Verdict::Granted;
}

}  // namespace waypost::policy
