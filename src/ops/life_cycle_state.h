// What a LifeCycle is made of, for the files that make it work: ops/life_cycle.cpp, and
// ops/life_cycle_takeover.cpp for what passes from one process to the next.

#pragma once

#include "kube/api_requests.h"
#include "ops/answering.h"
#include "ops/config_follower.h"
#include "ops/departure.h"
#include "ops/folder_watch.h"
#include "ops/host_searches.h"
#include "ops/life_cycle.h"
#include "ops/page/dns_page.h"
#include "ops/problem_log.h"
#include "ops/service_manager.h"
#include "ops/snapshot_keeper.h"
#include "ops/source_log.h"
#include "ops/status_server.h"
#include "ops/successor.h"
#include "ops/takeover.h"
#include "ops/world.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace waypost::ops {

// Destruction runs from the last member to the first: workers, then what workers look at.
struct LifeCycle::State {
  static constexpr std::chrono::seconds TickInterval{1};
  // How often somebody who leaves looks whether it may.
  static constexpr std::chrono::milliseconds DepartureInterval{50};

  State(ConfigOrigin from, Config first, PrintLine to)
      : config(first),
        started(std::move(first)),
        print(std::move(to)),
        signals(context, SIGINT, SIGTERM, SIGHUP),
        follower(
            context, std::move(from),
            [](const ConfigOrigin& origin) { return load_config(origin); },
            [this](Config next) { put_in_force(std::move(next)); }) {
    signals.add(SIGUSR1);
    signals.add(SIGUSR2);
  }

  // Putting things in force.
  void apply_world();
  Result<void> serve_api();
  Result<void> serve_clients();
  bool is_world_known() const;
  void load_snapshot(cache::ServiceCache& cache);
  records::Options record_options() const;

  // Reacting.
  void watch_manifests();
  void await_signal();
  void on_signal(int signal);
  void reload();
  void on_manifests_changed();
  void put_in_force(Config next);

  void on_synced();
  void on_tick();
  void mark_staleness();
  void await_tick();

  // Leaving.
  void depart();
  void await_departure();
  void await_drain(SteadyTime end);

  // From the process before, to the next one.
  Result<void> begin_takeover();
  void await_takeover_limit();
  void take_over();
  void on_alone();
  void fail(Error why);
  Result<void> expect_successor(bool replaces);
  Result<Estate> estate() const;
  void start_successor();
  void give_way(int process);
  void await_given(SteadyTime end, bool was_done);

  // Telling.
  void tell(const Result<void>& told) const;
  std::optional<std::chrono::milliseconds> data_age() const;
  bool is_too_old() const;
  Result<void> serve_status();
  DnsPageParts::Samples sample_source();
  DnsPageFacts page_facts() const;
  void announce() const;
  void announce_counts() const;
  void announce_ready();

  Config config;         // The last that was good.
  const Config started;  // Whose sockets and threads are in use.
  const PrintLine print;

  ProblemLog manifest_problems{"manifests"};

  boost::asio::io_context context{1};
  boost::asio::signal_set signals;
  boost::asio::steady_timer tick{context};

  ConfigFollower follower;

  server::Views views;
  SourceLog source_log{[this] { on_synced(); }};
  World world{views};
  HostSearches host_searches{context, started.completion.is_on,
                             [this](const auto& domains) { world.complete_searches(domains); }};
  std::string origin_of_world;                      // For people: a folder or a URL.
  std::shared_ptr<kube::ApiRequests> api_requests;  // From serve_api() on.
  bool is_announced_ready = false;
  cache::ServiceCache* api_cache = nullptr;  // What the API server fills.
  std::optional<cache::LoadedSnapshot> loaded_world;
  std::optional<SnapshotKeeper> snapshot;  // From the first complete world on.
  std::optional<Answering> answering;
  std::optional<DnsPage> page;  // From serve_clients() on, as the next one.
  std::optional<StatusServer> status;

  const ServiceManager service_manager = ServiceManager::from_environment();
  std::optional<Departure> departure;  // From SIGTERM on.
  // Of whoever waits to leave, or for the cluster while it takes over.
  boost::asio::steady_timer departure_timer{context};

  std::unique_ptr<Takeover> predecessor;       // Whose place is taken.
  std::unique_ptr<TakeoverListener> takeover;  // For the one that takes this one's.
  Successor successor;
  bool has_given_way = false;
  Result<void> result;  // Of run().

  std::optional<FolderWatch> manifest_watch;
};

}  // namespace waypost::ops
