#include "bench/memory.h"

#include "base/rcu.h"
#include "records/publisher.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace waypost::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double MiB = 1048576;

double allocated_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
}

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  file >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

// Of this thread: what others do on a busy machine does not count.
double cpu_microseconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) * 1e-3;
}

// The growth of malloc's and the kernel's view since the object was made.
class Growth {
 public:
  double allocated() const { return allocated_bytes() - allocated_; }
  double resident() const { return resident_bytes() - resident_; }

 private:
  double allocated_ = allocated_bytes();
  double resident_ = resident_bytes();
};

void print_row(const char* what, double for_services, double for_endpoints, const WorldSize& size) {
  const double endpoints = double(size.services) * size.endpoints;
  std::printf("%-10s %14.0f %14.1f %14.2f\n", what, for_services / size.services,
              for_endpoints / endpoints, (for_services + for_endpoints) / MiB);
}

struct Filled {
  rcu::RetireList retired;
  cache::ServiceCache cache;
  std::unique_ptr<records::Publisher> publisher;
};

// Fills it in steps, so that each step's growth is known.
void fill(const World& world, Filled& filled) {
  const WorldSize& size = world.size();
  world.put_namespaces(filled.cache);
  const Growth cache_services;
  world.put_services(filled.cache);
  const double in_cache = cache_services.allocated();
  const Growth index_services;
  filled.publisher =
      std::make_unique<records::Publisher>(world.options(), filled.cache, filled.retired);
  filled.retired.reclaim();
  const double in_index = index_services.allocated();
  filled.publisher.reset();

  const Growth cache_slices;
  world.put_slices(filled.cache);
  const double slices_in_cache = cache_slices.allocated();
  const Growth index_all;
  filled.publisher =
      std::make_unique<records::Publisher>(world.options(), filled.cache, filled.retired);
  filled.cache.set_synced();
  filled.retired.reclaim();
  const double slices_in_index = index_all.allocated() - in_index;

  std::printf("%-10s %14s %14s %14s\n", "", "octets/Service", "per endpoint", "MiB");
  print_row("cache", in_cache, slices_in_cache, size);
  print_row("index", in_index, slices_in_index, size);
  print_row("together", in_cache + in_index, slices_in_cache + slices_in_index, size);
}

// Applies changes of one endpoint each, with a look at the memory now and then.
void churn(const World& world, Filled& filled, std::uint32_t changes) {
  const double before = resident_bytes();
  double most = before;
  const auto start = Clock::now();
  for (std::uint32_t i = 0; i < changes; ++i) {
    const auto service =
        static_cast<std::uint32_t>(std::uint64_t{i} * 7919 % world.size().services);
    filled.cache.put(world.slice(service, i + 1));
    if (i % 1000 == 0) {
      most = std::max(most, resident_bytes());
    }
  }
  const std::chrono::duration<double> seconds = Clock::now() - start;
  filled.retired.reclaim();
  std::printf("churn: %u changes in %.1f s; resident %.1f MiB before, at most %.1f, %.1f after\n",
              changes, seconds.count(), before / MiB, most / MiB, resident_bytes() / MiB);
}

// Puts every object again, each with another resourceVersion, as a source does that lists anew.
void relist(const World& world, Filled& filled) {
  using kube::ObjectKind;
  const double before = resident_bytes();
  double most = before;
  const auto start = Clock::now();
  filled.cache.begin_relist(ObjectKind::Service);
  filled.cache.begin_relist(ObjectKind::EndpointSlice);
  for (std::uint32_t i = 0; i < world.size().services; ++i) {
    kube::Service service = world.service(i);
    service.resource_version += std::uint64_t{1} << 40;
    filled.cache.put(std::move(service));
    kube::EndpointSlice slice = world.slice(i, 0);
    slice.resource_version += std::uint64_t{1} << 40;
    filled.cache.put(std::move(slice));
    if (i % 100 == 0) {
      most = std::max(most, resident_bytes());
    }
  }
  filled.cache.end_relist(ObjectKind::Service, 0);
  filled.cache.end_relist(ObjectKind::EndpointSlice, 0);
  const std::chrono::duration<double> seconds = Clock::now() - start;
  filled.retired.reclaim();
  std::printf("list of everything: %.2f s; resident %.1f MiB before, at most %.1f (%.2f times)\n",
              seconds.count(), before / MiB, most / MiB, most / before);
}

// Times, in CPU, a change of one endpoint of a headless Service in a world of its own, in slices of
// 100 as a cluster's controller makes them.
void time_change(std::uint32_t endpoints, bool hostnames) {
  constexpr std::uint32_t SliceSize = 100;
  constexpr unsigned Changes = 2000;
  const World world(WorldSize{.services = 20, .endpoints = 1});
  Filled filled;
  filled.publisher =
      std::make_unique<records::Publisher>(world.options(), filled.cache, filled.retired);
  filled.cache.put(kube::Namespace{.name = "shop", .resource_version = 1, .labels = {}});
  kube::Service service;
  service.key = {"shop", "large"};
  service.headless = true;
  service.ports = {{.name = "http", .port = 80}};
  filled.cache.put(service);
  const auto slice_of = [&](std::uint32_t first, std::uint32_t moved) {
    kube::EndpointSlice slice;
    slice.key = {"shop", "large-" + std::to_string(first)};
    slice.service_name = "large";
    slice.ports = {{.name = "http", .port = 8080}};
    for (std::uint32_t i = first; i < std::min(first + SliceSize, endpoints); ++i) {
      const auto high = static_cast<std::uint8_t>(i >> 8);
      const auto low = static_cast<std::uint8_t>(i);
      const IpAddress address = i == first
                                    ? IpAddress::v4(10, static_cast<std::uint8_t>(moved), high, low)
                                    : IpAddress::v4(10, 255, high, low);
      slice.add({.address = address}, hostnames ? "db-" + std::to_string(i) : "", "");
    }
    return slice;
  };
  for (std::uint32_t first = 0; first < endpoints; first += SliceSize) {
    filled.cache.put(slice_of(first, 0));
  }
  std::vector<double> times;
  for (unsigned i = 1; i <= Changes; ++i) {
    const std::uint32_t slices = (endpoints + SliceSize - 1) / SliceSize;
    kube::EndpointSlice slice = slice_of(i * 7919 % slices * SliceSize, i % 200);
    const double start = cpu_microseconds();
    filled.cache.put(std::move(slice));
    times.push_back(cpu_microseconds() - start);
  }
  std::ranges::sort(times);
  std::printf("change of one of %5u endpoints%s: median %.1f us, p99 %.1f us\n", endpoints,
              hostnames ? " with hostnames" : "               ", times[times.size() / 2],
              times[times.size() * 99 / 100]);
}

}  // namespace

void report_memory(const MemoryOptions& options) {
  const World world(options.world);
  const Growth all;
  std::printf("resident before the world: %.1f MiB\n", resident_bytes() / MiB);
  {
    Filled filled;
    fill(world, filled);
    malloc_trim(0);
    std::printf(
        "%u Services, %u endpoints each: %zu names in a table for %zu; %.1f MiB allocated, "
        "resident grew by %.1f MiB\n",
        options.world.services, options.world.endpoints, filled.publisher->index().name_count(),
        filled.publisher->index().name_capacity(), all.allocated() / MiB, all.resident() / MiB);
    relist(world, filled);
    churn(world, filled, options.changes);
    relist(world, filled);
  }
  for (const bool hostnames : {false, true}) {
    for (const std::uint32_t endpoints : {10U, 1000U, 5000U}) {
      time_change(endpoints, hostnames);
    }
  }
}

}  // namespace waypost::bench
