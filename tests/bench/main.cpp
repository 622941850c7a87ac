// How many UDP queries one worker answers in a second, next to a bare echo in the same run; how
// long a change takes to be applied.  With --memory instead what Services and endpoints cost in
// memory.
//
// The server, or the echo, runs on the first CPU and the load on the second.  Rounds alternate
// between the two, and medians are told.

#include "base/rcu.h"
#include "bench/echo.h"
#include "bench/load.h"
#include "bench/memory.h"
#include "bench/world.h"
#include "records/publisher.h"
#include "server/server.h"
#include "zones/zone_set.h"

#include <CLI/CLI.hpp>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <string>
#include <vector>

namespace waypost::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  WorldSize world;
  LoadOptions load;
  double seconds = 2;
  unsigned rounds = 5;
  std::uint32_t changes = 2000;
};

// ---------------------------------------------------------------------------------------------------
// Measuring

// Restricts the calling thread, and those that it starts, to the `index`-th of the process's CPUs.
// Does nothing where there is only one.
void pin(std::size_t index) {
  static const cpu_set_t allowed = [] {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    return set;
  }();
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) {
      cpus.push_back(cpu);
    }
  }
  if (cpus.size() < 2) {
    return;
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpus[index % cpus.size()], &one);
  sched_setaffinity(0, sizeof one, &one);
}

double process_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double microseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

// ---------------------------------------------------------------------------------------------------
// The world and its changes

void load_world(const World& world, cache::ServiceCache& cache,
                const records::Publisher& publisher) {
  const WorldSize& size = world.size();
  const auto start = Clock::now();
  world.put_namespaces(cache);
  world.put_services(cache);
  world.put_slices(cache);
  cache.set_synced();
  std::printf(
      "world: %u Services, %u endpoints each, one Service in %u headless: %zu names in the index, "
      "loaded in %.2f s\n",
      size.services, size.endpoints, size.headless_every, publisher.index().name_count(),
      microseconds(Clock::now() - start) * 1e-6);
}

// Applies changes of one endpoint each, spread over the Services.
void time_changes(const World& world, cache::ServiceCache& cache, rcu::RetireList& retired,
                  std::uint32_t count) {
  std::vector<double> times;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto service =
        static_cast<std::uint32_t>(std::uint64_t{i} * 7919 % world.size().services);
    kube::EndpointSlice slice = world.slice(service, i + 1);
    const auto start = Clock::now();
    cache.put(std::move(slice));
    times.push_back(microseconds(Clock::now() - start));
  }
  retired.reclaim();
  std::ranges::sort(times);
  std::printf("change of one endpoint: median %.1f us, p99 %.1f us, worst %.1f us\n",
              times[times.size() / 2], times[times.size() * 99 / 100], times.back());
}

// ---------------------------------------------------------------------------------------------------
// Answers per second

struct Series {
  const char* name;
  std::vector<double> answers_per_second;
  std::vector<double> server_microseconds;  // Of CPU, for each answer.
  std::vector<double> load_microseconds;
  std::uint64_t wrong = 0;
  std::uint64_t lost = 0;

  void add(const LoadResult& result, double server_cpu_seconds) {
    const auto answers = static_cast<double>(std::max<std::uint64_t>(result.answers, 1));
    answers_per_second.push_back(result.per_second());
    server_microseconds.push_back(server_cpu_seconds * 1e6 / answers);
    load_microseconds.push_back(result.cpu_seconds * 1e6 / answers);
    wrong += result.wrong;
    lost += result.lost;
  }
  void print() const {
    std::printf("%-10s %12.0f %12.2f %12.2f %8llu %8llu\n", name, median(answers_per_second),
                median(server_microseconds), median(load_microseconds),
                static_cast<unsigned long long>(wrong), static_cast<unsigned long long>(lost));
  }
};

// One round against whatever listens at `address` in this process.  Only two threads are busy: the
// load, which is this one, and the other side.
void run_round(Series& series, const SocketAddress& address, Peer peer,
               std::vector<Question>& questions, const LoadOptions& options) {
  pin(1);
  const double before = process_cpu_seconds();
  const LoadResult result = run_load(address, peer, questions, options);
  series.add(result, process_cpu_seconds() - before - result.cpu_seconds);
  pin(0);
}

// Returns false when an answer was wrong.
bool compare(const Options& options, const World& world, const server::Views& views) {
  std::vector<Question> questions = make_questions(world, Mix::Cluster, Edns::AsMix, 65536);
  Series echo{.name = "udp echo"};
  Series waypost{.name = "waypost"};
  for (unsigned round = 0; round < options.rounds; ++round) {
    {
      const Echo peer;
      run_round(echo, peer.address(), Peer::Echo, questions, options.load);
    }
    const auto server =
        server::Server::start({.listen = {{IpAddress::v4(127, 0, 0, 1), 0}}}, views, {});
    if (!server) {
      throw std::runtime_error(server.error().message);
    }
    run_round(waypost, (*server)->addresses().front(), Peer::Server, questions, options.load);
  }
  std::printf("\n%-10s %12s %12s %12s %8s %8s   (medians of %u rounds, window %zu)\n", "",
              "answers/s", "server us", "load us", "wrong", "lost", options.rounds,
              options.load.window);
  echo.print();
  waypost.print();
  std::vector<double> ratios;
  for (std::size_t i = 0; i < options.rounds; ++i) {
    ratios.push_back(waypost.answers_per_second[i] / echo.answers_per_second[i]);
  }
  std::printf("ratio      %12.3f\n", median(ratios));
  return echo.wrong + waypost.wrong == 0;
}

bool run(const Options& options) {
  pin(0);
  const World world(options.world);
  rcu::RetireList retired;
  cache::ServiceCache cache;
  const records::Publisher publisher(world.options(), cache, retired);
  load_world(world, cache, publisher);

  const zones::ZoneSet zones(std::vector<std::shared_ptr<const zones::Zone>>{});
  const server::AnswerPolicy policy;
  server::Views views;
  views.index = &publisher.index();
  views.zones = &zones;
  views.policy = &policy;
  const bool right = compare(options, world, views);
  time_changes(world, cache, retired, options.changes);

  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("resident memory, at most: %.1f MiB\n", static_cast<double>(usage.ru_maxrss) / 1024);
  return right;
}

}  // namespace
}  // namespace waypost::bench

int main(int argc, char** argv) try {
  waypost::bench::Options options;
  bool memory = false;
  CLI::App app("UDP answers per second and time for a change, with a cluster of some size");
  app.add_flag("--memory", memory, "Tell what the cluster costs in memory instead");
  app.add_option("--seconds", options.seconds, "Length of a round")->check(CLI::Range(0.1, 60.0));
  app.add_option("--rounds", options.rounds, "Rounds")->check(CLI::Range(1, 100));
  app.add_option("--window", options.load.window, "Questions under way")
      ->check(CLI::Range(64, 32768));
  app.add_option("--services", options.world.services, "Services")->check(CLI::Range(20, 100000));
  app.add_option("--endpoints", options.world.endpoints, "Endpoints of each Service")
      ->check(CLI::Range(1, 12));
  app.add_option("--changes", options.changes, "Changes to be timed")
      ->check(CLI::Range(1, 1000000));
  CLI11_PARSE(app, argc, argv);
  options.load.duration =
      std::chrono::milliseconds(static_cast<std::int64_t>(options.seconds * 1000));
  if (memory) {
    waypost::bench::report_memory({.world = options.world, .changes = options.changes});
    return 0;
  }
  return waypost::bench::run(options) ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench-udp: %s\n", error.what());
  return 1;
}
