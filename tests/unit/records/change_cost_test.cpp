// What a change of one endpoint costs in a small and in a large Service, counted in allocations and
// their octets: what lies beside the change is copied at most, and not made again.  A program of
// its own, because it replaces the program's allocator.

#include "cache/service_cache.h"
#include "records/publisher.h"
#include "support/allocation_counter.h"
#include "support/cluster.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

namespace waypost::test {
namespace {

constexpr std::uint32_t SliceSize = 100;  // As a cluster's controller makes them.

struct Cost {
  std::size_t allocations = 0;
  std::size_t octets = 0;
};

// A headless Service, and one of its slices with its first endpoint moved.
kube::Service large_service() {
  kube::Service service;
  service.key = {"shop", "large"};
  service.headless = true;
  service.ports = {{.name = "http", .port = 80}};
  return service;
}

kube::EndpointSlice slice_of(std::uint32_t first, std::uint8_t moved, bool hostnames) {
  kube::EndpointSlice slice;
  slice.key = {"shop", "large-" + std::to_string(first)};
  slice.service_name = "large";
  slice.resource_version = moved + 1U;
  slice.ports = {{.name = "http", .port = 8080}};
  for (std::uint32_t i = first; i < first + SliceSize; ++i) {
    const auto high = static_cast<std::uint8_t>(i >> 8);
    const auto low = static_cast<std::uint8_t>(i);
    const bool is_moved = i == first && moved != 0;
    slice.add({.address =
                   is_moved ? IpAddress::v4(10, 254, 0, moved) : IpAddress::v4(10, 255, high, low)},
              hostnames ? "db-" + std::to_string(i) : "", "");
  }
  return slice;
}

// The most that one of several changes costs, from the cache to the index.
Cost cost_of_change(std::uint32_t endpoints, bool hostnames) {
  rcu::RetireList retired;
  cache::ServiceCache cache;
  const records::Publisher publisher(default_options(), cache, retired);
  cache.put(kube::Namespace{.name = "shop", .resource_version = 1, .labels = {}});
  cache.put(large_service());
  for (std::uint32_t first = 0; first < endpoints; first += SliceSize) {
    cache.put(slice_of(first, 0, hostnames));
  }
  const std::uint32_t slices = endpoints / SliceSize;
  const auto change = [&](std::uint32_t i) {
    kube::EndpointSlice slice =
        slice_of(i * 7919 % slices * SliceSize, static_cast<std::uint8_t>(i), hostnames);
    const Cost before{count_allocations(), count_allocated_octets()};
    cache.put(std::move(slice));
    return Cost{count_allocations() - before.allocations, count_allocated_octets() - before.octets};
  };
  Cost most;
  std::size_t names = 0;
  for (std::uint32_t i = 1; i <= 50; ++i) {
    const Cost cost = change(i);
    if (i == 10) {
      names = publisher.index().name_count();
    } else if (i > 10) {  // Lists that grow now and then have grown.
      most = {std::max(most.allocations, cost.allocations), std::max(most.octets, cost.octets)};
    }
    retired.reclaim();
  }
  CHECK(publisher.index().name_count() == names);
  return most;
}

}  // namespace

TEST_CASE("one endpoint among thousands is changed without making the others again") {
  for (const bool hostnames : {false, true}) {
    INFO(std::string(hostnames ? "with hostnames" : "by address"));
    const Cost small = cost_of_change(200, hostnames);
    const Cost large = cost_of_change(5000, hostnames);
    MESSAGE(small.allocations << " allocations of " << small.octets << " octets among 200, "
                              << large.allocations << " of " << large.octets << " among 5000");
    // Not one more for each endpoint, nor for each slice.
    CHECK(large.allocations <= small.allocations + 10);
    // The version is put together once and written once: an address is four octets, and with a
    // hostname, an entry and the text of it besides.
    const std::size_t each = hostnames ? 40 : 4;
    CHECK(large.octets <= small.octets + 3 * each * (5000 - 200));
  }
}

}  // namespace waypost::test
