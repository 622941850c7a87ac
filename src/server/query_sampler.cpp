#include "server/query_sampler.h"

#include <algorithm>

namespace waypost::server {
namespace {

constexpr std::uint8_t ResponseFlag = 0x80;  // QR, in the third octet (RFC 1035, 4.1.1).

// Copies the name of the question in lower case; returns its size, 0 when there is none that can
// be read.  A query has no pointer there (RFC 1035, 4.1.4: nothing stands before it).
std::size_t copy_name(Bytes request, std::array<std::uint8_t, dns::MaxNameSize>& into) noexcept {
  if (request.size() <= dns::HeaderSize || (request[2] & ResponseFlag) != 0 ||
      load_u16(&request[4]) == 0) {
    return 0;
  }
  const Bytes from = request.subspan(dns::HeaderSize);
  std::size_t at = 0;
  while (at < from.size() && at < into.size()) {
    const std::size_t label = from[at];
    if (label == 0) {
      into[at] = 0;
      return at + 1;
    }
    if (label > dns::MaxLabelSize || at + 1 + label >= std::min(from.size(), into.size())) {
      return 0;
    }
    into[at] = static_cast<std::uint8_t>(label);
    for (std::size_t i = at + 1; i <= at + label; ++i) {
      into[i] = ascii_lower(from[i]);
    }
    at += 1 + label;
  }
  return 0;
}

}  // namespace

QuerySampler::QuerySampler(bool is_on, std::uint64_t seed)
    : ring_(is_on ? std::make_unique<QuerySample[]>(Capacity) : nullptr),
      left_(is_on ? 1 : 0),  // 0: the first one that is due is 2^64 queries away.
      chance_(seed | 1U) {}

void QuerySampler::take(Bytes request, const IpAddress& client) noexcept {
  ahead_ -= step_;
  passed_ += step_;
  if (ahead_ == 0) {
    put(request, client);
    narrow();
    choose_next();
  } else if (narrow()) {
    missed_.add(passed_);
    choose_next();
  } else {
    step();
  }
}

void QuerySampler::put(Bytes request, const IpAddress& client) noexcept {
  const std::uint64_t written = written_.load(std::memory_order_relaxed);
  const std::uint64_t used = written - read_.load(std::memory_order_acquire);
  if (used == Capacity) {
    missed_.add(interval_);
    return widen();
  }
  QuerySample& sample = ring_[written % Capacity];
  sample.client = client;
  sample.weight = interval_;
  sample.name_size = static_cast<std::uint16_t>(copy_name(request, sample.octets));
  written_.store(written + 1, std::memory_order_release);
  constexpr std::uint64_t Sixteenth = Capacity / 16;
  if (used >= Capacity / 2 && used % Sixteenth == 0) {
    widen();
  }
}

// One in twice as many: the ring fills beyond its half.
void QuerySampler::widen() noexcept {
  interval_ = std::min(2 * interval_, MaxInterval);
}

// One in half as many, for each time that the reader was done and there was less than a quarter of
// the ring for it.  True when that has changed anything.
bool QuerySampler::narrow() noexcept {
  const std::uint64_t drains = drains_.load(std::memory_order_relaxed);
  if (drains == drains_seen_) {
    return false;
  }
  const std::uint64_t times = std::min<std::uint64_t>(drains - drains_seen_, 31);
  const std::uint64_t written = written_.load(std::memory_order_relaxed);
  const bool has_few = written - written_then_ < times * Capacity / 4;
  drains_seen_ = drains;
  written_then_ = written;
  if (!has_few || interval_ == 1) {
    return false;
  }
  interval_ = std::max(interval_ >> times, 1U);
  return true;
}

// Anything from 1 to twice the interval, so that no pattern in the queries hides from it.
void QuerySampler::choose_next() noexcept {
  // xorshift64 (Marsaglia 2003): nobody gains anything from guessing it.
  chance_ ^= chance_ << 13U;
  chance_ ^= chance_ >> 7U;
  chance_ ^= chance_ << 17U;
  ahead_ = 1 + (chance_ >> 32U) % (2 * std::uint64_t{interval_} - 1);
  passed_ = 0;
  step();
}

void QuerySampler::step() noexcept {
  step_ = std::min(ahead_, MaxStep);
  left_ = step_;
}

}  // namespace waypost::server
