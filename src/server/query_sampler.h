// Some of a worker's queries, for whoever counts names and clients: which ones, chance decides.
//
// The worker copies the name and the client of one query in so many into a ring, and does nothing
// for the others but count down.  How many that is follows the traffic: every query while there are
// few, so that little is guessed, and fewer of them the sooner the ring fills.  Each sample says
// how many queries it stands for.
//
// Not here: counting (ops/page/top_queries.h).

#pragma once

#include "base/bytes.h"
#include "base/counter.h"
#include "base/ip_address.h"
#include "dns/types.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace waypost::server {

struct QuerySample {
  IpAddress client;
  std::uint32_t weight = 0;  // Queries that it stands for, on average.
  std::uint16_t name_size = 0;
  std::array<std::uint8_t, dns::MaxNameSize> octets{};

  // The name in lower case, in wire form; empty when the question had none that can be read.
  Bytes name() const noexcept { return Bytes(octets).first(name_size); }
};

// One thread writes, another one reads; neither waits for the other.  Nothing allocates but the
// constructor.
class QuerySampler {
 public:
  static constexpr std::size_t Capacity = 256;  // Samples, 70 KiB.
  static constexpr std::uint32_t MaxInterval = std::uint32_t{1} << 20;

  // Without `is_on` it has no memory, and takes nothing.
  QuerySampler(bool is_on, std::uint64_t seed);
  QuerySampler(const QuerySampler&) = delete;
  QuerySampler& operator=(const QuerySampler&) = delete;

  // The writer, once for each query: whether to take() it.
  bool is_due() noexcept { return --left_ == 0; }
  // After is_due() said so.  Takes a sample if it is time, and looks now and then whether there is
  // less to do than there was.  A ring that is full loses the sample, which missed() counts.
  void take(Bytes request, const IpAddress& client) noexcept;

  // The reader: hands what is there now, oldest first, to `use(const QuerySample&)`.
  template <typename Use>
  void drain(Use&& use) {
    const std::uint64_t end = written_.load(std::memory_order_acquire);
    for (std::uint64_t at = read_.load(std::memory_order_relaxed); at != end; ++at) {
      use(static_cast<const QuerySample&>(ring_[at % Capacity]));
      read_.store(at + 1, std::memory_order_release);
    }
    drains_.store(drains_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  // Queries that lost samples stood for, and those before a change of the load that none stands
  // for.  Any thread.
  std::uint64_t missed() const noexcept { return missed_.value(); }

 private:
  // At most so many queries are between two looks at whether the load has changed.
  static constexpr std::uint64_t MaxStep = 256;

  void put(Bytes request, const IpAddress& client) noexcept;
  void widen() noexcept;
  bool narrow() noexcept;
  void choose_next() noexcept;
  void step() noexcept;

  std::unique_ptr<QuerySample[]> ring_;
  std::uint64_t left_;        // Queries until the next take().
  std::uint64_t step_ = 1;    // What `left_` began with.
  std::uint64_t ahead_ = 1;   // Queries from the last take() to the next sample.
  std::uint64_t passed_ = 0;  // Those from the last sample to the last take().
  std::uint32_t interval_ = 1;
  std::uint64_t chance_;
  std::uint64_t drains_seen_ = 0;
  std::uint64_t written_then_ = 0;  // When drains_seen_ was seen.
  Counter missed_;
  // On lines of their own, because each has another writer.
  alignas(64) std::atomic<std::uint64_t> written_{0};
  alignas(64) std::atomic<std::uint64_t> read_{0};
  std::atomic<std::uint64_t> drains_{0};
};

}  // namespace waypost::server
