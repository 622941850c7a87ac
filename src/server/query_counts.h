// What is counted of each message in the way that CoreDNS' metrics count it: type, size, duration.

#pragma once

#include "base/counter.h"
#include "dns/types.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace waypost::server {

enum class Transport : std::uint8_t { Udp, Tcp };

// The types that CoreDNS tells apart; every other one is counted as OtherType.
inline constexpr std::array CountedTypes = {
    dns::RecordType::A,      dns::RecordType::AAAA, dns::RecordType::ANY,   dns::RecordType::AXFR,
    dns::RecordType::CNAME,  dns::RecordType::DS,   dns::RecordType::HTTPS, dns::RecordType::IXFR,
    dns::RecordType::DNSKEY, dns::RecordType::MX,   dns::RecordType::NS,    dns::RecordType::NSEC,
    dns::RecordType::NSEC3,  dns::RecordType::PTR,  dns::RecordType::RRSIG, dns::RecordType::SOA,
    dns::RecordType::SRV,    dns::RecordType::TXT,
};
inline constexpr std::size_t OtherType = CountedTypes.size();

// An index into CountedTypes, or OtherType.
inline std::size_t counted_type(dns::RecordType type) noexcept {
  static constexpr auto Places = [] {
    std::array<std::uint8_t, 256> places{};
    places.fill(OtherType);
    for (std::size_t i = 0; i < CountedTypes.size(); ++i) {
      places[static_cast<std::size_t>(CountedTypes[i])] = static_cast<std::uint8_t>(i);
    }
    return places;
  }();
  const auto number = static_cast<std::size_t>(type);
  return number < Places.size() ? Places[number] : OtherType;
}

// Octets, each the largest size of its bucket; those of CoreDNS.
inline constexpr std::array<std::uint16_t, 14> SizeBounds = {
    0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000};

// The first bucket that `size` octets fit into, or the one above all bounds.
constexpr std::size_t size_bucket(std::size_t size) noexcept {
  std::size_t bucket = 0;
  while (bucket < SizeBounds.size() && size > SizeBounds[bucket]) {
    ++bucket;
  }
  return bucket;
}

// How many messages were received, by the way that they came and by what they ask for.
class QueryCounts {
 public:
  using ByType = std::array<Counter, OtherType + 1>;

  // `type` is that of counted_type(), OtherType for what cannot be read.
  void add(Transport transport, bool is_v4, std::size_t type) noexcept {
    ways_[way(transport, is_v4)][type].add();
  }

  const ByType& of(Transport transport, bool is_v4) const noexcept {
    return ways_[way(transport, is_v4)];
  }
  std::uint64_t total(Transport transport) const noexcept {
    std::uint64_t all = 0;
    for (const bool is_v4 : {true, false}) {
      for (const Counter& one : of(transport, is_v4)) {
        all += one.value();
      }
    }
    return all;
  }

 private:
  static std::size_t way(Transport transport, bool is_v4) noexcept {
    return 2 * static_cast<std::size_t>(transport) + (is_v4 ? 0U : 1U);
  }

  std::array<ByType, 4> ways_;
};

// How large messages are.
class SizeCounts {
 public:
  void add(std::size_t size) noexcept {
    // Of the sizes that nearly all messages have, it is looked up.
    static constexpr auto Small = [] {
      std::array<std::uint8_t, 512> buckets{};
      for (std::size_t i = 0; i < buckets.size(); ++i) {
        buckets[i] = static_cast<std::uint8_t>(size_bucket(i));
      }
      return buckets;
    }();
    buckets_[size < Small.size() ? Small[size] : size_bucket(size)].add();
    octets_.add(size);
  }

  // Not cumulative; the last one is for what is larger than every bound.
  const std::array<Counter, SizeBounds.size() + 1>& buckets() const noexcept { return buckets_; }
  std::uint64_t octets() const noexcept { return octets_.value(); }

 private:
  std::array<Counter, SizeBounds.size() + 1> buckets_;
  Counter octets_;
};

// How long clients wait for this server.  CoreDNS' buckets begin with a quarter of a millisecond
// and double; most answers are faster, so that five more come before.
class DurationCounts {
 public:
  static constexpr double FirstBound = 0.00025 / 32;  // Seconds.
  static constexpr std::size_t BucketCount = 21;      // Up to 8.192 s.

  // `count` messages were answered `us` microseconds after they had come.
  void add(std::uint64_t us, std::uint64_t count) noexcept {
    // In units of FirstBound, rounded up, because a bound belongs to the bucket below it.
    const std::uint64_t units = (us * 16 + 124) / 125;
    const auto bucket = static_cast<std::size_t>(std::bit_width(units - (units != 0 ? 1U : 0U)));
    buckets_[std::min(bucket, BucketCount)].add(count);
    us_.add(us * count);
  }

  // Not cumulative; the last one is for what took longer than every bound.
  const std::array<Counter, BucketCount + 1>& buckets() const noexcept { return buckets_; }
  std::uint64_t microseconds() const noexcept { return us_.value(); }

 private:
  std::array<Counter, BucketCount + 1> buckets_;
  Counter us_;
};

}  // namespace waypost::server
