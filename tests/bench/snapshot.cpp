// What it costs to save and to load a world, beside what it costs to put its objects into a cache.

#include "base/file_replacement.h"
#include "bench/world.h"
#include "cache/snapshot.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace waypost;

constexpr int Rounds = 9;

// What this thread has computed, in milliseconds: other programs do not count.
double cpu_now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}
// What time it is, for what waits.
double wall_now() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

template <typename T>
T use(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) {
    return std::move(*result);
  }
}

std::size_t heap() {
  return mallinfo2().uordblks;
}

struct Times {
  std::vector<double> put, steps, worst_step, disk, load;
};

// As ops::SnapshotKeeper does it, on one thread.
std::uint64_t save(const cache::ServiceCache& cache, const std::filesystem::path& file,
                   Times& times) {
  cache::SnapshotWriter writer(cache, {"bench", 0, 1});
  FileReplacement replacement = use(FileReplacement::start(file));
  use(replacement.append(cache::SnapshotPrelude{}));
  double steps = 0;
  double worst = 0;
  double disk = 0;
  for (bool has_more = true; has_more;) {
    std::string part;
    double start = cpu_now();
    has_more = writer.step(part);
    const double step = cpu_now() - start;
    steps += step;
    worst = std::max(worst, step);
    start = wall_now();
    use(replacement.append(as_bytes(part)));
    disk += wall_now() - start;
  }
  const double start = wall_now();
  use(replacement.write_at(0, writer.prelude()));
  use(replacement.commit());
  times.steps.push_back(steps);
  times.worst_step.push_back(worst);
  times.disk.push_back(disk + wall_now() - start);
  return writer.size();
}

}  // namespace

int main() {
  std::string folder = (std::filesystem::temp_directory_path() / "waypost-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    std::perror("a temporary folder");
    return 1;
  }
  const std::filesystem::path file = std::filesystem::path(folder) / "world";
  const bench::World world(bench::WorldSize{});
  Times times;
  std::uint64_t bytes = 0;
  std::size_t peak_beyond = 0;
  cache::ServiceCache::Counts counts;
  for (int round = 0; round < Rounds; ++round) {
    {
      cache::ServiceCache cache;
      const double start = cpu_now();
      world.put_namespaces(cache);
      world.put_services(cache);
      world.put_slices(cache);
      times.put.push_back(cpu_now() - start);
      bytes = save(cache, file, times);
    }
    const std::size_t before = heap();
    cache::ServiceCache cache;
    const double start = cpu_now();
    counts = use(cache::load_snapshot(file, "bench", cache)).counts;
    times.load.push_back(cpu_now() - start);
    peak_beyond = heap() - before;
  }
  std::filesystem::remove_all(folder);
  const double put = median(times.put);
  std::printf("%zu services, %zu endpoints, %.1f MB in the file, %.1f MB in memory\n",
              counts.services, counts.endpoints, static_cast<double>(bytes) / 1e6,
              static_cast<double>(peak_beyond) / 1e6);
  std::printf("make and put objects   %8.2f ms\n", put);
  std::printf("load                   %8.2f ms   %.2f of that\n", median(times.load),
              median(times.load) / put);
  std::printf("save, control thread   %8.2f ms   the longest step %.3f ms\n", median(times.steps),
              median(times.worst_step));
  std::printf("save, the disk         %8.2f ms\n", median(times.disk));
  return 0;
}
