// Some of a worker's queries, for whoever counts names and clients (server/sampling.h says which).
//
// Not here: counting (ops/page/top_queries.h).

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"
#include "dns/types.h"
#include "server/sampling.h"

#include <array>
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

  // Without `is_on` it has no memory, and takes nothing.
  QuerySampler(bool is_on, std::uint64_t seed);

  // The writer, once for each query: whether to take() it.
  bool is_due() noexcept { return sampling_.is_due(); }
  // After is_due() said so.
  void take(Bytes request, const IpAddress& client) noexcept;

  // The reader: hands what is there now, oldest first, to `use(const QuerySample&)`.
  template <typename Use>
  void drain(Use&& use) {
    sampling_.drain(
        [&](std::size_t place) { use(static_cast<const QuerySample&>(samples_[place])); });
  }
  // As Sampling::missed().
  std::uint64_t missed() const noexcept { return sampling_.missed(); }

 private:
  std::unique_ptr<QuerySample[]> samples_;
  Sampling sampling_;
};

}  // namespace waypost::server
