// A program of its own, because it replaces the program's allocator to count what it gives.

#include "cache/service_cache.h"
#include "search/pod_directory.h"
#include "support/allocation_counter.h"

#include <doctest/doctest.h>
#include <malloc.h>

#include <string>

namespace waypost::test {

TEST_CASE("an address costs about seventy octets, and looking for one allocates nothing") {
  constexpr unsigned Pods = 20'000;
  cache::ServiceCache cache;
  for (unsigned i = 0; i < Pods; ++i) {
    kube::Pod pod{.key = {"ns-" + std::to_string(i % 100), "web-" + std::to_string(i)},
                  .phase = kube::PodPhase::Running,
                  .search = kube::PodSearch()};
    pod.ips = {
        IpAddress::v4(10, 244, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i))};
    cache.put(pod);
  }
  rcu::RetireList retired;
  const std::size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  const search::PodDirectory directory(
      cache, {*dns::Name::from_text("cluster.local"), {"host.example"}}, retired);
  retired.reclaim();
  const std::size_t during = mallinfo2().uordblks + mallinfo2().hblkhd - before;
  CHECK(directory.address_count() == Pods);
  CHECK(directory.list_count() == 100);
  INFO("octets for each address: ", during / Pods);
  CHECK(during / Pods <= 80);

  const std::size_t calls = count_allocations();
  std::size_t known = 0;
  for (unsigned i = 0; i < Pods; ++i) {
    const auto caller = directory.find(
        IpAddress::v4(10, 244, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)));
    known += caller.identity == search::Identity::Pod && caller.list->is_cluster_first() ? 1 : 0;
  }
  CHECK(count_allocations() == calls);
  CHECK(known == Pods);
}

}  // namespace waypost::test
