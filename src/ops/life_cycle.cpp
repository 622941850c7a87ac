#include "ops/life_cycle_state.h"

#include "base/log.h"
#include "base/timer.h"
#include "ops/announcement.h"
#include "ops/answering.h"
#include "ops/api_connection.h"
#include "ops/host.h"
#include "ops/host_searches.h"
#include "ops/metric_collectors.h"
#include "server/inheritance.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <string>
#include <utility>

namespace waypost::ops {

//------------------------------------------------------------------ putting things in force

records::Options LifeCycle::State::record_options() const {
  records::Options options = config.records;
  options.own_addresses = own_addresses(started.server.listen);
  options.is_served = started.records.is_served;
  return started.is_from_manifests() ? options : within_reach(options, started.records);
}

void LifeCycle::State::apply_world() {
  if (!started.is_from_manifests()) {
    if (within_reach(config.records, started.records) != config.records) {
      log::warn(
          "pods, labels, namespaceLabels, endpointPodNames: what was not asked of the API "
          "server at start is so at restart");
    }
    world.apply(record_options());
    return;
  }
  sources::ManifestOptions manifests = config.manifests;
  manifests.decode.pod_search = started.completion.is_on;
  world.serve_folder(record_options(), manifests);
  manifest_problems.update(world.problems());
}

Result<void> LifeCycle::State::serve_api() {
  auto access = api_access(config.api);
  if (!access) {
    return std::unexpected(std::move(access.error()));
  }
  origin_of_world = access->endpoint.to_text();
  api_requests = std::make_shared<kube::ApiRequests>(access->endpoint.authority());
  auto client = kube::ApiClient::make(
      context, std::move(*access),
      {.user_agent = kube::user_agent("waypost-dns", WAYPOST_VERSION),
       .credentials = {.warn = [](const std::string& problem) { log::warn("{}", problem); }},
       .requests = api_requests});
  if (!client) {
    return std::unexpected(std::move(client.error()));
  }
  world.serve_api(record_options(), kept_for(started.records), [&](cache::ServiceCache& cache) {
    api_cache = &cache;
    load_snapshot(cache);
    return std::make_unique<sources::ApiSource>(
        context, api_options(started.records, started.completion), std::move(*client),
        std::make_unique<SystemTimer>(context.get_executor()), cache, source_log);
  });
  return {};
}

// The world as it was when it was last saved, until the API server tells what it is now.
void LifeCycle::State::load_snapshot(cache::ServiceCache& cache) {
  if (config.snapshot.empty()) {
    return;
  }
  auto read = cache::load_snapshot(config.snapshot, origin_of_world, cache);
  if (read) {
    loaded_world = std::move(*read);
    cache.set_synced();
    log::info("{}: {} services and {} endpoints as they were {} s ago, until the API server tells",
              config.snapshot.string(), loaded_world->counts.services,
              loaded_world->counts.endpoints,
              std::chrono::duration_cast<std::chrono::seconds>(*data_age()).count());
  } else if (read.error().kind != ErrorKind::NotFound) {
    log::warn("{}; it is not used", read.error().message);
  }
}

void LifeCycle::State::on_synced() {
  if (!config.snapshot.empty()) {
    snapshot.emplace(context, *api_cache,
                     SnapshotOptions{.file = config.snapshot, .identity = origin_of_world});
    if (loaded_world) {
      snapshot->on_loaded(*loaded_world);
    }
  }
  if (predecessor && !answering->is_running()) {
    return take_over();
  }
  mark_staleness();
  announce_ready();
}

// How long ago everything that is answered was certain; nothing while nothing is known.
std::optional<std::chrono::milliseconds> LifeCycle::State::data_age() const {
  if (started.is_from_manifests()) {
    return std::chrono::milliseconds(0);
  }
  if (world.api() != nullptr && world.api()->is_synced()) {
    return world.api()->age();
  }
  if (!loaded_world) {
    return std::nullopt;
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::max(std::chrono::milliseconds(0),
                  std::chrono::duration_cast<std::chrono::milliseconds>(now) -
                      std::chrono::milliseconds(loaded_world->origin.created_ms));
}

bool LifeCycle::State::is_too_old() const {
  const auto age = data_age();
  return config.max_data_age.count() != 0 && age && *age > config.max_data_age;
}

//------------------------------------------------------------------ reacting

// Before anything is read, so that no change falls between reading and watching.
void LifeCycle::State::watch_manifests() {
  manifest_watch.emplace(context, [this] { on_manifests_changed(); });
  manifest_watch->follow({&config.manifests.folder, 1});
}

void LifeCycle::State::await_signal() {
  signals.async_wait([this](const boost::system::error_code& ec, int signal) {
    if (!ec) {
      on_signal(signal);
    }
  });
}

void LifeCycle::State::on_signal(int signal) {
  if (signal == SIGHUP || signal == SIGUSR1) {
    log::info("reloading on {}", signal == SIGHUP ? "SIGHUP" : "SIGUSR1");
    reload();
  } else if (signal == SIGUSR2) {
    start_successor();
  } else if (signal == SIGTERM && !departure && answering->is_running() && !has_given_way) {
    depart();
  } else {
    log::info("stopping on {}", signal == SIGINT ? "SIGINT" : "SIGTERM");
    context.stop();
  }
  await_signal();
}

void LifeCycle::State::reload() {
  tell(service_manager.tell_reloading());
  follower.reload();
  if (started.is_from_manifests()) {
    on_manifests_changed();
  }
  answering->reload_files();
  tell(service_manager.tell_ready());
}

void LifeCycle::State::on_manifests_changed() {
  world.reload();
  manifest_problems.update(world.problems());
  const auto& counts = world.cache().counts();
  log::info("manifests read again: {} services, {} endpoints", counts.services, counts.endpoints);
}

// What nobody else begins: aging, and freeing what changes left behind.
void LifeCycle::State::on_tick() {
  world.reclaim();
  mark_staleness();
  answering->look_at(world.cache());
  if (page) {
    page->sample();
  }
  if (const auto ended = successor.ended()) {
    log::error("takeover: {} without having taken over; this one goes on", *ended);
  }
}

void LifeCycle::State::await_tick() {
  tick.expires_after(TickInterval);
  tick.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) {
      on_tick();
      await_tick();
    }
  });
}

void LifeCycle::State::mark_staleness() {
  if (started.is_from_manifests() || !world.cache().is_synced()) {
    return;
  }
  const bool is_stale = !world.api()->is_synced() || is_too_old();
  if (views.is_stale.exchange(is_stale, std::memory_order_relaxed) == is_stale) {
    return;
  }
  if (is_stale) {
    log::warn("the cluster's names are stale from here on; answers say so (EDE 3)");
  } else {
    log::info("the cluster's names are fresh again");
  }
}

void LifeCycle::State::put_in_force(Config next) {
  const Config before = std::exchange(config, std::move(next));
  if (config.is_from_manifests() != started.is_from_manifests()) {
    log::warn("manifests: whether objects come from a folder or an API server is settled at start");
    config.manifests = before.manifests;
  }
  if (config.records.is_served != started.records.is_served) {
    config.manifests = before.manifests;  // The key "kubernetes" waits for a restart.
  }
  log::set_up(config.log_level, config.log_format);
  if (started.is_from_manifests() && before.manifests.folder != config.manifests.folder) {
    watch_manifests();
  }
  answering->configure(config);
  host_searches.configure(config.completion);
  apply_world();
  answering->look_at(world.cache());
  report_changes(started, before, config);
}

//------------------------------------------------------------------ leaving

void LifeCycle::State::depart() {
  log::info(
      "stopping on SIGTERM: not ready from here on; queries are answered until none has come "
      "for {} ms, at most for {} ms",
      Departure::Quiet.count(), config.lameduck.count());
  status->readiness().shut_down();
  tell(service_manager.tell_stopping());
  departure.emplace(std::chrono::steady_clock::now(), config.lameduck, answering->queries());
  await_departure();
}

void LifeCycle::State::await_departure() {
  if (!departure) {  // Another process has taken over meanwhile.
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  switch (departure->look(now, answering->queries())) {
    case Departure::State::Stays:
      departure_timer.expires_after(DepartureInterval);
      departure_timer.async_wait([this](const boost::system::error_code& ec) {
        if (!ec) {
          await_departure();
        }
      });
      return;
    case Departure::State::IsQuiet:
      break;
    case Departure::State::HasToLeave:
      if (config.lameduck.count() != 0) {
        log::warn("leaving although queries still came in the last {} ms",
                  Departure::Quiet.count());
      }
      break;
  }
  answering->drain();
  // What other servers are being asked for is answered or has failed by then.
  await_drain(now + config.forward.resolver.query_deadline);
}

void LifeCycle::State::await_drain(SteadyTime end) {
  if (has_given_way) {
    return;
  }
  if (answering->is_drained() || std::chrono::steady_clock::now() >= end) {
    context.stop();
    return;
  }
  departure_timer.expires_after(DepartureInterval);
  departure_timer.async_wait([this, end](const boost::system::error_code& ec) {
    if (!ec) {
      await_drain(end);
    }
  });
}

//------------------------------------------------------------------ telling

void LifeCycle::State::tell(const Result<void>& told) const {
  if (!told) {
    log::warn("{}", told.error().message);
  }
}

Result<void> LifeCycle::State::serve_status() {
  status.emplace(context, started.status);
  status->readiness().require("kubernetes", [this] { return world.cache().is_synced(); });
  status->readiness().require("fresh", [this] { return !is_too_old(); });
  status->set_flush(answering->flush());
  status->metrics().add([this](Scrape& scrape) {
    answering->collect(scrape);
    collect_plugins(scrape, config, answering->label());
    if (const std::optional<ReloadStatus> reloads = follower.status()) {
      collect_reloads(scrape, *reloads);
    }
    collect_world(scrape, world.cache());
    if (world.api() != nullptr) {
      world.programming_times().collect(scrape);
    }
    if (world.pods() != nullptr) {
      answering->collect_searches(scrape, *world.pods());
    }
    if (world.api() != nullptr) {
      collect_source(scrape, world.api()->statuses(), std::chrono::steady_clock::now());
      collect_api_requests(scrape, *api_requests);
    }
    if (snapshot) {
      collect_snapshot(scrape, snapshot->status(), std::chrono::system_clock::now());
    }
    if (takeover) {
      collect_takeover(scrape, takeover->counts(), successor.failures());
    }
  });
  page.emplace(DnsPageParts{.world = world,
                            .views = views,
                            .forwarding = answering->forwarding(),
                            .counters = [this] { return answering->counters(); },
                            .zone = [this] { return config.records.zone; },
                            .facts = [this] { return page_facts(); },
                            .samples = sample_source()});
  status->show(page->pages());
  server::Inheritance inheritance;
  if (predecessor) {
    inheritance = server::Inheritance(std::move(predecessor->estate().status));
  }
  return status->open(&inheritance);
}

DnsPageParts::Samples LifeCycle::State::sample_source() {
  if (!started.status.has_tops()) {
    return {};
  }
  return [this](const auto& use) { return answering->drain_samples(use); };
}

// What the top of the status page says.
DnsPageFacts LifeCycle::State::page_facts() const {
  std::vector<std::string> addresses;
  for (const SocketAddress& address : answering->addresses()) {
    addresses.push_back(address.to_text());
  }
  DnsPageFacts facts{.readiness = status->readiness().reply().body,
                     .source = started.records.is_served ? origin_of_world : "",
                     .listen = std::move(addresses),
                     .static_zones = answering->zones().zones().size(),
                     .data_age = data_age(),
                     .is_stale = views.is_stale.load(std::memory_order_relaxed),
                     .problems = {}};
  for (const Error& problem : world.problems()) {
    facts.problems.push_back(problem.message);
  }
  if (snapshot && snapshot->status().created) {
    facts.snapshot_age = std::chrono::system_clock::now() - *snapshot->status().created;
  }
  return facts;
}

void LifeCycle::State::announce() const {
  if (started.records.is_served) {
    print(fmt::format("serving {} from {}", config.records.zone.to_text(), origin_of_world));
  } else {
    print("serving no cluster");
  }
  if (started.is_from_manifests()) {
    announce_counts();
  }
  for (const SocketAddress& address : answering->addresses()) {
    print(fmt::format("listening on {} (udp, tcp)", address.to_text()));
  }
  for (const std::string& place : status->places()) {
    print(place);
  }
}

void LifeCycle::State::announce_counts() const {
  const auto& counts = world.cache().counts();
  print(fmt::format("{} services, {} endpoints, {} namespaces, {} pods, {} static zones",
                    counts.services, counts.endpoints, counts.namespaces, counts.pods,
                    answering->zones().zones().size()));
}

void LifeCycle::State::announce_ready() {
  if (std::exchange(is_announced_ready, true)) {
    return;
  }
  if (!started.is_from_manifests()) {
    announce_counts();
  }
  const std::vector<std::string> examples =
      example_queries(world.cache(), config.records.zone, views, answering->addresses().front());
  if (!examples.empty()) {
    print("try:");
  }
  for (const std::string& example : examples) {
    print("  " + example);
  }
  print("ready");
  tell(service_manager.tell_ready());
}

bool LifeCycle::State::is_world_known() const {
  return started.is_from_manifests() || world.api()->is_synced();
}

// Probes first, because they can fail before a query is read.
Result<void> LifeCycle::State::serve_clients() {
  if (Result<void> opened = serve_status(); !opened) {
    return opened;
  }
  server::Options options = started.server;
  options.samples_queries = started.status.has_tops();
  server::Inheritance inheritance;
  if (predecessor) {
    inheritance = server::Inheritance(std::move(predecessor->estate().dns));
  }
  if (Result<void> begun = answering->start(
          options, [this]() -> const records::Publisher& { return world.publisher(); },
          &inheritance);
      !begun) {
    return begun;
  }
  for (const SocketAddress& address : inheritance.left()) {
    log::info("takeover: {} is not listened on any more", address.to_text());
  }
  announce();
  answering->look_at(world.cache());
  return {};
}

LifeCycle::LifeCycle(std::unique_ptr<State> state) : state_(std::move(state)) {}
LifeCycle::~LifeCycle() = default;

Result<std::unique_ptr<LifeCycle>> LifeCycle::start(ConfigOrigin origin, Config config,
                                                    PrintLine print) {
  const bool takes_over = origin.takes_over;
  auto state = std::make_unique<State>(std::move(origin), std::move(config), std::move(print));
  state->await_signal();
  if (takes_over) {
    if (Result<void> begun = state->begin_takeover(); !begun) {
      return std::unexpected(std::move(begun.error()));
    }
  }
  if (!state->config.manifests.folder.empty()) {
    state->watch_manifests();
  }
  std::optional<dns::CookieMaker::Secret> secret;
  if (state->predecessor) {
    secret = state->predecessor->estate().secret;
  }
  state->answering.emplace(state->context, state->views, state->config, secret);
  state->host_searches.configure(state->config.completion);
  if (state->started.is_from_manifests()) {
    state->origin_of_world = state->config.manifests.folder.string();
    state->apply_world();
  } else if (Result<void> served = state->serve_api(); !served) {
    return std::unexpected(std::move(served.error()));
  }
  if (state->predecessor && !state->is_world_known()) {
    state->await_takeover_limit();
  } else if (Result<void> served = state->serve_clients(); !served) {
    return std::unexpected(std::move(served.error()));
  } else if (state->predecessor) {
    state->predecessor->go();
  } else {
    if (Result<void> expects = state->expect_successor(false); !expects) {
      return std::unexpected(std::move(expects.error()));
    }
    if (state->world.cache().is_synced()) {
      state->mark_staleness();
      state->announce_ready();
    }
  }
  state->await_tick();
  return std::unique_ptr<LifeCycle>(new LifeCycle(std::move(state)));
}

Result<void> LifeCycle::run() {
  state_->context.run();
  if (state_->answering->is_running()) {
    // The process that has taken over saves what it knows itself.
    if (state_->snapshot && !state_->has_given_way) {
      state_->snapshot->save_at_end();
    }
    state_->print("stopped: " + state_->answering->totals());
  }
  state_->answering->stop();
  return std::move(state_->result);
}

}  // namespace waypost::ops
