// What Services and endpoints may cost in memory, cache and index together: a budget in octets of
// malloc, not in time.  A program of its own, built without sanitizers, whose allocators count
// differently.

#include "cache/service_cache.h"
#include "records/publisher.h"
#include "support/cluster.h"

#include <doctest/doctest.h>
#include <malloc.h>

#include <cstddef>
#include <string>
#include <utility>

namespace waypost::test {
namespace {

constexpr std::uint32_t Services = 2000;
constexpr std::uint32_t EndpointsEach = 20;

std::size_t allocated() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

IpAddress address(std::uint8_t net, std::uint32_t host) {
  return IpAddress::v4(net, static_cast<std::uint8_t>(host >> 16),
                       static_cast<std::uint8_t>(host >> 8), static_cast<std::uint8_t>(host));
}

// A ClusterIP Service with one port.
kube::Service service(std::uint32_t i) {
  kube::Service object;
  object.key = {"namespace-" + std::to_string(i % 50), "service-" + std::to_string(i)};
  object.resource_version = i + 1;
  object.cluster_ips = {address(11, i)};
  object.ports = {{.name = "http", .port = 80, .target_port = std::uint16_t{8080}}};
  object.labels = {{"app", object.key.name}};
  object.selector = object.labels;
  return object;
}

kube::EndpointSlice slice(std::uint32_t i, bool is_full, std::uint64_t version = 0) {
  kube::EndpointSlice object;
  object.key = {"namespace-" + std::to_string(i % 50), "service-" + std::to_string(i) + "-x7k2p"};
  object.resource_version = version;
  object.service_name = "service-" + std::to_string(i);
  object.ports = {{"http", kube::Protocol::Tcp, 8080}};
  for (std::uint32_t e = 0; e < (is_full ? EndpointsEach : 0); ++e) {
    object.add({.address = address(12, i * EndpointsEach + e)}, "",
               object.service_name + "-6d4cf56db6-" + std::to_string(10000 + e));
  }
  return object;
}

}  // namespace

TEST_CASE("Services and endpoints stay within their budget of memory") {
  rcu::RetireList retired;
  cache::ServiceCache cache;
  const records::Publisher publisher(default_options(), cache, retired);
  for (std::uint32_t i = 0; i < 50; ++i) {
    cache.put(kube::Namespace{"namespace-" + std::to_string(i), 0, {}});
  }
  const std::size_t empty = allocated();
  for (std::uint32_t i = 0; i < Services; ++i) {
    cache.put(service(i));
    cache.put(slice(i, false));
  }
  retired.reclaim();
  const std::size_t with_services = allocated();
  for (std::uint32_t i = 0; i < Services; ++i) {
    cache.put(slice(i, true));
  }
  retired.reclaim();
  const std::size_t with_endpoints = allocated();
  CHECK(publisher.index().name_count() > Services * (EndpointsEach + 2));

  const double per_service = double(with_services - empty) / Services;
  const double per_endpoint = double(with_endpoints - with_services) / (Services * EndpointsEach);
  MESSAGE(per_service << " octets for a Service and its slice, " << per_endpoint
                      << " for an endpoint");
  CHECK(per_service < 600);
  CHECK(per_endpoint < 32);

  // A list of everything with other versions leaves nothing behind.
  cache.begin_relist(kube::ObjectKind::EndpointSlice);
  for (std::uint32_t i = 0; i < Services; ++i) {
    cache.put(slice(i, true, 1000 + i));
  }
  cache.end_relist(kube::ObjectKind::EndpointSlice, 1);
  CHECK(allocated() < with_endpoints + 4096);
}

TEST_CASE("memory under churn is bounded") {
  rcu::RetireList retired;
  cache::ServiceCache cache;
  const records::Publisher publisher(default_options(), cache, retired);
  cache.put(kube::Namespace{"namespace-0", 0, {}});
  const auto put_and_erase = [&](std::uint32_t rounds) {
    for (std::uint32_t i = 0; i < rounds; ++i) {
      const std::uint32_t one = i % 100 * 50;  // All in the same namespace.
      cache.put(service(one));
      cache.put(slice(one, true));
      if (i % 3 != 0) {
        cache.erase_service(service(one).key);
        cache.erase_slice(slice(one, false).key);
      }
    }
    for (std::uint32_t one = 0; one < 5000; one += 50) {
      cache.erase_service(service(one).key);
      cache.erase_slice(slice(one, false).key);
    }
    retired.reclaim();
  };
  put_and_erase(2000);
  const std::size_t before = allocated();
  put_and_erase(20'000);
  CHECK(allocated() < before + 16384);
}

}  // namespace waypost::test
