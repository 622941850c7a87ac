// Which names are asked for most, and which clients ask most, of late: an estimate from samples.

#pragma once

#include "base/heavy_hitters.h"
#include "base/ip_address.h"
#include "base/timer.h"
#include "ops/page/html.h"
#include "server/query_sampler.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace waypost::ops {

// Bounded: about half a megabyte, if all names are as long as names can be.  One thread.
class TopQueries {
 public:
  static constexpr std::size_t Capacity = 256;  // Names, and clients, that are followed.
  static constexpr std::size_t Shown = 15;
  // What is shown goes back for one to two of these.
  static constexpr std::chrono::minutes Window{5};

  explicit TopQueries(SteadyTime now) : begun_(now), before_begun_(now) {}

  void note(const server::QuerySample& sample);
  // Begins another window when it is time.  `missed` is what samplers lost so far, in queries.
  void advance(SteadyTime now, std::uint64_t missed);

  // Both tables, with how far they can be wrong.
  Html tables(SteadyTime now) const;

 private:
  // Two of these take turns.
  struct Counts {
    HeavyHitters<std::string> names{Capacity};  // Wire form, lower case; empty: unreadable.
    HeavyHitters<IpAddress, IpAddressHash> clients{Capacity};
    std::uint64_t samples = 0;
    std::uint64_t guessed = 0;  // What the sampling error is made of: sum of weight * (weight - 1).
    std::uint64_t missed = 0;
    void clear() noexcept;
  };

  template <typename Key, typename Hash, typename Show>
  Html table(std::string_view caption, std::string_view title,
             HeavyHitters<Key, Hash> Counts::* which, Show show) const;

  Counts now_;
  Counts before_;
  SteadyTime begun_;
  SteadyTime before_begun_;
  std::uint64_t missed_ = 0;
};

}  // namespace waypost::ops
