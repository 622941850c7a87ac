#include "ops/node_life_cycle.h"

#include "base/log.h"
#include "cache/service_cache.h"
#include "ops/api_connection.h"
#include "ops/control.h"
#include "ops/folder_watch.h"
#include "ops/health_check_ports.h"
#include "ops/http_server.h"
#include "ops/metric_collectors.h"
#include "ops/metrics.h"
#include "ops/node_dns.h"
#include "ops/node_facts.h"
#include "ops/node_metrics.h"
#include "ops/node_source.h"
#include "ops/page/node_page.h"
#include "ops/probes.h"
#include "ops/problem_log.h"
#include "ops/run_to_end.h"
#include "ops/source_log.h"
#include "proxy/address_watch.h"
#include "proxy/backend.h"
#include "proxy/chain_name.h"
#include "proxy/family_proxy.h"
#include "proxy/iptables.h"
#include "proxy/xtables_lock.h"
#include "sources/api_source.h"
#include "sources/manifest_source.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <spdlog/fmt/fmt.h>

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;

// Rules depend on nobody's labels, selectors or Pod names.
cache::Kept kept_by(const NodeConfig& config) {
  return config.dns.is_on ? kept_for(config.dns.answers.records)
                          : cache::Kept{.labels = false, .selectors = false, .pod_names = false};
}

// Whether names are completed for this node's Pods; without that nobody asks for Pods.
bool completes_searches(const NodeConfig& config) {
  return config.dns.is_on && config.dns.answers.completion.is_on;
}

constexpr std::string_view label_of(kube::IpFamily family) noexcept {
  return family == kube::IpFamily::V4 ? "IPv4" : "IPv6";
}

}  // namespace

// Destruction runs from the last member to the first.
struct NodeLifeCycle::State : cache::Consumer {
  State(NodeConfig from, PrintLine to)
      : config(std::move(from)), print(std::move(to)), signals(context, SIGINT, SIGTERM, SIGHUP) {}

  ~State() override { cache.unsubscribe(*this); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Of the world only this node's own object is looked at here.
  void on_service(const cache::ServiceDelta& /*delta*/) override {}
  void on_namespace(const cache::ObjectDelta<kube::Namespace>& /*delta*/) override {}
  void on_pod(const cache::ObjectDelta<kube::Pod>& /*delta*/) override {}
  void on_node(const cache::ObjectDelta<kube::Node>& delta) override;
  void on_synced() override;
  void on_resource_version(std::uint64_t /*version*/) override {}

  Result<void> choose_backend();
  Result<void> follow_addresses();
  Result<void> open_source();
  Result<void> open_api();
  void load_manifests();
  void follow_manifests();
  void add_family(kube::IpFamily family, const proxy::Config& rules);
  void await_signal();
  struct Family;
  proxy::FamilyEvents events_of(Family& family);
  void on_sync(Family& family, const proxy::SyncReport& report);
  void tell_in_force();
  void report_ready();
  Result<void> serve_probes();
  Result<void> serve_dns();
  void serve_rules();
  NodePageFacts page_facts() const;
  proxy::NodeFacts facts() const;
  void apply_facts();
  void follow_pod_cidrs();
  void report_pod_cidrs();
  bool is_waiting_for_node() const {
    proxy::NodeFacts known;  // As far as is_complete() looks at them.
    known.pod_cidrs = pod_cidrs;
    return config.programs_services && cache.is_synced() && !is_complete(config.proxy, known);
  }
  // Whether changes get into the kernel in time.
  bool is_healthy() const;
  // Whether every family's first rules are in force.
  bool is_in_force() const;
  bool is_serving() const { return is_in_force() && (!dns || dns->is_ready()); }
  HttpReply health(std::map<unsigned, std::uint64_t>& counts, ProxyHealth state) const;

  struct Family {
    Family(proxy::Backend backend, kube::IpFamily its) : family(its), tables(backend, its) {}
    kube::IpFamily family;
    proxy::Iptables tables;
    FamilyMetrics metrics;
    std::unique_ptr<proxy::FamilyProxy> proxy;
    bool is_ready = false;
    // When a commit began to be overdue; nothing while all is in force.
    std::optional<std::chrono::steady_clock::time_point> unsettled_since;
  };

  const NodeConfig config;
  const PrintLine print;
  asio::io_context context{1};
  asio::signal_set signals;
  cache::ServiceCache cache{kept_by(config)};
  SourceLog source_log{[] { log::info("every Service and endpoint is known"); }};
  std::unique_ptr<sources::ApiSource> api;
  std::optional<sources::ManifestSource> source;
  ProblemLog manifest_problems{"manifests"};
  std::optional<FolderWatch> manifest_watch;
  proxy::BackendChoice backend;
  std::optional<kube::Node> node;   // This one, when the source has it.
  std::vector<IpPrefix> pod_cidrs;  // Its, as last known.
  bool told_waiting = false;
  std::vector<std::unique_ptr<Family>> families;
  std::unique_ptr<NodeDns> dns;
  std::optional<proxy::AddressWatch> addresses;
  ProbeCounts probes;
  Metrics metrics;
  std::optional<HealthCheckPorts> health_check_ports;
  NodePage page{{.cache = cache, .facts = [this] { return page_facts(); }}};
  std::string origin;  // Where Services come from, for people.
  std::optional<HttpServer> http;
  bool is_ready = false;
};

//------------------------------------------------------------------ starting

Result<void> NodeLifeCycle::State::choose_backend() {
  auto choice = run_to_end(context, proxy::detect_backend(config.backend));
  if (!choice) {
    return std::unexpected(choice.error());
  }
  backend = std::move(*choice);
  print(fmt::format("backend {}: {}", proxy::to_text(backend.backend), backend.reason));
  return {};
}

Result<void> NodeLifeCycle::State::follow_addresses() {
  auto watch = proxy::AddressWatch::start(context, [this](const std::vector<IpAddress>& now) {
    log::info("this node has {} addresses now", now.size());
    if (dns) {
      dns->on_addresses();
    }
    apply_facts();
  });
  if (!watch) {
    return std::unexpected(watch.error());
  }
  addresses.emplace(std::move(*watch));
  return {};
}

Result<void> NodeLifeCycle::State::open_source() {
  if (config.manifests.folder.empty()) {
    return open_api();
  }
  origin = config.manifests.folder.string();
  sources::ManifestOptions manifests = config.manifests;
  if (completes_searches(config)) {
    manifests.decode.pod_search = true;
    manifests.pods_of_node = node_name(config);
  }
  source.emplace(std::move(manifests), cache);
  follow_manifests();
  load_manifests();
  const auto& counts = cache.counts();
  print(fmt::format("node {}: {} services, {} endpoints from {}", node_name(config),
                    counts.services, counts.endpoints, config.manifests.folder.string()));
  return {};
}

Result<void> NodeLifeCycle::State::open_api() {
  auto access = api_access(config.api);
  if (!access) {
    return std::unexpected(std::move(access.error()));
  }
  const std::string name = node_name(config);
  origin = access->endpoint.to_text();
  print(fmt::format("node {}: Services come from {}", name, access->endpoint.to_text()));
  auto opened = open_node_source(context, std::move(*access), name,
                                 {.rules = config.programs_services,
                                  .names = config.dns.is_on,
                                  .service_labels = !config.dns.answers.records.labels.empty(),
                                  .own_pods = completes_searches(config)},
                                 "waypost-node", cache, source_log);
  if (!opened) {
    return std::unexpected(std::move(opened.error()));
  }
  api = std::move(*opened);
  return {};
}

void NodeLifeCycle::State::load_manifests() {
  (void)source->load();  // What it returns is in errors() as well.
  manifest_problems.update(source->errors());
  ::malloc_trim(0);  // Every object was on the heap to be compared.
}

void NodeLifeCycle::State::follow_manifests() {
  manifest_watch.emplace(context, [this] { load_manifests(); });
  manifest_watch->follow({&config.manifests.folder, 1});
}

void NodeLifeCycle::State::add_family(kube::IpFamily its, const proxy::Config& rules) {
  auto family = std::make_unique<Family>(backend.backend, its);
  proxy::ApplierOptions options;
  options.label = label_of(its);
  options.min_rest = config.min_sync_period;
  options.sweep_interval = std::chrono::duration_cast<std::chrono::seconds>(config.sync_period);
  family->proxy = std::make_unique<proxy::FamilyProxy>(
      context, cache, family->tables, its, rules, facts(), std::move(options), events_of(*family));
  metrics.add(
      [one = family.get()](Scrape& scrape) { collect_family(scrape, one->metrics, *one->proxy); });
  families.push_back(std::move(family));
}

//------------------------------------------------------------------ reacting

void NodeLifeCycle::State::await_signal() {
  signals.async_wait([this](const boost::system::error_code& ec, int signal) {
    if (ec) {
      return;
    }
    if (signal != SIGHUP) {
      log::info("stopping on {}; the rules for Services stay",
                signal == SIGINT ? "SIGINT" : "SIGTERM");
      context.stop();
      return;
    }
    if (source) {
      log::info("reading the manifests again on SIGHUP");
      load_manifests();
    }
    if (dns) {
      dns->reload();
    }
    await_signal();
  });
}

void NodeLifeCycle::State::on_node(const cache::ObjectDelta<kube::Node>& delta) {
  const kube::Node* one = delta.after != nullptr ? delta.after : delta.before;
  if (one->name != node_name(config)) {
    return;
  }
  node = delta.after != nullptr ? std::optional(*delta.after) : std::nullopt;
  follow_pod_cidrs();
  apply_facts();
  report_pod_cidrs();
}

// Differs from kube-proxy: it ends when they change, to be started again; here rules follow.
void NodeLifeCycle::State::follow_pod_cidrs() {
  if (config.proxy.local_detector != proxy::LocalDetector::NodeCidr || !node ||
      node->pod_cidrs.empty() || node->pod_cidrs == pod_cidrs) {
    return;
  }
  pod_cidrs = node->pod_cidrs;
  std::string list;
  for (const IpPrefix& cidr : pod_cidrs) {
    list.append(list.empty() ? "" : ", ").append(cidr.to_text());
  }
  log::info("packets of Pods are those from {}, as the node's spec.podCIDRs say", list);
  for (const auto& family : families) {
    if (std::none_of(pod_cidrs.begin(), pod_cidrs.end(), [&](const IpPrefix& cidr) {
          return kube::family_of(cidr.base()) == family->family;
        })) {
      log::warn(
          "spec.podCIDRs have none of {}; there, nothing is masqueraded for not being a Pod's",
          label_of(family->family));
    }
  }
}

proxy::NodeFacts NodeLifeCycle::State::facts() const {
  proxy::NodeFacts now = node_facts(config, addresses->addresses(), default_addresses(), node);
  if (now.pod_cidrs.empty()) {
    // Pods do not move because the node's object is away for a while.
    now.pod_cidrs = pod_cidrs;
  }
  return now;
}

void NodeLifeCycle::State::on_synced() {
  report_pod_cidrs();
  if (dns) {
    dns->on_synced();
  }
}

// Nothing is programmed without them, where they tell which packets are Pods'.
void NodeLifeCycle::State::report_pod_cidrs() {
  const bool is_waiting = is_waiting_for_node();
  if (is_waiting == told_waiting) {
    return;
  }
  told_waiting = is_waiting;
  if (is_waiting) {
    log::warn(
        "the node {} has no spec.podCIDRs yet, by which packets of Pods are told "
        "(--detect-local-mode NodeCIDR); no rules are written until it has",
        node_name(config));
  } else {
    log::info("the node's spec.podCIDRs are known; rules are written");
  }
}

void NodeLifeCycle::State::apply_facts() {
  const proxy::NodeFacts now = facts();
  for (const auto& family : families) {
    family->proxy->set_node(now);
  }
}

proxy::FamilyEvents NodeLifeCycle::State::events_of(Family& family) {
  FamilyMetrics& counts = family.metrics;
  proxy::FamilyEvents events;
  events.applier.on_sync = [this, &family](const proxy::SyncReport& report) {
    on_sync(family, report);
  };
  events.applier.lock_holder = [] { return proxy::lock_holder(proxy::xtables_lock_path()); };
  events.applier.on_lock_busy = [&counts] { ++counts.lock_busy; };
  events.applier.on_drift = [&counts](const proxy::DriftReport& report) {
    counts.drift[static_cast<std::size_t>(report.table)] += report.drift.size();
  };
  events.applier.on_read_back = [&counts](std::chrono::nanoseconds took) {
    counts.read_back.observe(took);
  };
  events.applier.on_read = [&counts](const proxy::SavedTable& saved) { counts.on_read(saved); };
  events.on_committed = [&counts](const proxy::GenerationTimes& times) {
    counts.on_committed(times);
  };
  events.on_quarantine = [&counts](const kube::ObjectKey&, const std::string&) {
    ++counts.quarantines;
  };
  events.on_sweep = [&counts](const proxy::SweepCounts& swept, std::chrono::nanoseconds took) {
    counts.conntrack.observe(took);
    counts.deleted_flows += swept.deleted;
    if (swept.deleted != 0) {
      log::debug("{} of {} tracked connections led nowhere and are deleted", swept.deleted,
                 swept.seen);
    }
  };
  return events;
}

// Of what was told to every family at once, as much as all of them have in force.
void NodeLifeCycle::State::tell_in_force() {
  if (!dns || !is_in_force()) {
    return;
  }
  std::uint64_t changes = families.front()->proxy->changes_in_force();
  for (const auto& family : families) {
    changes = std::min(changes, family->proxy->changes_in_force());
  }
  dns->on_in_force(changes);
}

void NodeLifeCycle::State::on_sync(Family& family, const proxy::SyncReport& report) {
  family.metrics.on_sync(report);
  const std::string_view label = label_of(family.family);
  if (!report.failure.empty()) {
    if (!family.unsettled_since) {
      family.unsettled_since = std::chrono::steady_clock::now();
    }
    return;
  }
  family.unsettled_since.reset();
  family.is_ready = true;
  tell_in_force();
  if (report.restore_time.count() != 0) {
    const double ms = std::chrono::duration<double, std::milli>(report.restore_time).count();
    log::debug("{}: {} rules written in {:.1f} ms", label, report.rules_written, ms);
  }
  if (report.is_full) {
    // The text of all rules was on the heap.
    ::malloc_trim(0);
  }
  report_ready();
}

//------------------------------------------------------------------ telling

bool NodeLifeCycle::State::is_healthy() const {
  // kube-proxy's measure: twice the period within which everything is tried again.
  const auto limit = std::chrono::steady_clock::now() - 2 * config.sync_period;
  return std::all_of(families.begin(), families.end(), [&](const auto& family) {
    const auto waiting_since = family->proxy->waiting_since();
    return (!waiting_since || *waiting_since > limit) &&
           (!family->unsettled_since || *family->unsettled_since > limit);
  });
}

bool NodeLifeCycle::State::is_in_force() const {
  return std::all_of(families.begin(), families.end(),
                     [](const auto& family) { return family->is_ready; });
}

HttpReply NodeLifeCycle::State::health(std::map<unsigned, std::uint64_t>& counts,
                                       ProxyHealth state) const {
  double last = 0;
  for (const auto& family : families) {
    last = std::max(last, family->metrics.last_sync_time);
  }
  state.now = std::chrono::system_clock::now();
  if (last != 0) {
    state.last_updated = ProxyHealth::Time(std::chrono::duration_cast<ProxyHealth::Time::duration>(
        std::chrono::duration<double>(last)));
  }
  HttpReply reply = proxy_health_reply(state);
  ++counts[reply.status];
  return reply;
}

Result<void> NodeLifeCycle::State::serve_probes() {
  metrics.add(collect_build);
  metrics.add([](Scrape& scrape) { collect_process(scrape, read_process_status()); });
  metrics.add([this](Scrape& scrape) { collect_probes(scrape, probes); });
  http.emplace(context);
  for (const SocketAddress& address : config.metrics_listen) {
    http->serve(address, "/metrics", [this] {
      return HttpReply{.content_type = std::string(Metrics::ContentType), .body = metrics.text()};
    });
    if (config.programs_services) {
      http->serve(address, "/proxyMode", proxy_mode_reply);
    }
  }
  for (const SocketAddress& address : config.dns.answers.status.control) {
    http->act(address, "/flush",
              [this](std::string_view query) { return flush_reply(query, dns->flush()); });
  }
  PageServer pages("waypost-node", config.status_page);
  for (const SocketAddress& address : config.metrics_listen) {
    pages.serve(*http, address, page.pages());
  }
  for (const SocketAddress& address : config.healthz_listen) {
    // A load balancer is told to leave a node that is about to go, or that has no rules yet; that
    // is no reason to restart us.  Differs from kube-proxy: its /healthz says 200 before the first
    // sync, because nothing is late yet.
    http->serve(address, "/healthz", [this] {
      return health(probes.healthz, {.is_healthy = is_healthy() && is_serving(),
                                     .is_node_eligible = !node || !is_leaving(*node)});
    });
    http->serve(address, "/livez",
                [this] { return health(probes.livez, {.is_healthy = is_healthy()}); });
  }
  if (auto opened = http->open(); !opened) {
    return opened;
  }
  for (const HttpPlace& place : http->places()) {
    print(fmt::format("serving http://{}{}", place.address.to_text(), place.path));
    if (place.path == "/metrics" && config.status_page != PageAccess::Off) {
      print(fmt::format("status page on http://{}/", place.address.to_text()));
    }
  }
  return {};
}

Result<void> NodeLifeCycle::State::serve_dns() {
  if (!config.dns.is_on) {
    return {};
  }
  auto started = NodeDns::start(context, cache, config.dns,
                                {.backend = backend.backend,
                                 .has_ipv6 = has_ipv6(),
                                 .has_rules = config.programs_services,
                                 .is_dated = config.manifests.folder.empty(),
                                 .on_ready = [this] { report_ready(); }});
  if (!started) {
    return std::unexpected(std::move(started.error()));
  }
  dns = std::move(*started);
  for (const std::string& place : dns->places()) {
    print(place);
  }
  metrics.add([this](Scrape& scrape) { dns->collect(scrape); });
  return {};
}

// What a Service proxy does.
void NodeLifeCycle::State::serve_rules() {
  prepare_host(config);
  const proxy::Config rules = rules_on_host(config);
  add_family(kube::IpFamily::V4, rules);
  if (has_ipv6()) {
    add_family(kube::IpFamily::V6, rules);
  } else {
    log::info("this host has no IPv6; only IPv4 is served");
  }
  metrics.add([this](Scrape& scrape) {
    std::vector<const FamilyMetrics*> each;
    for (const auto& family : families) {
      each.push_back(&family->metrics);
    }
    collect_rule_counts(scrape, each);
  });
  metrics.add([this](Scrape& scrape) { collect_waiting(scrape, is_waiting_for_node()); });
  health_check_ports.emplace(context, cache, node_name(config),
                             [this] { return is_healthy() && is_in_force(); });
  metrics.add([this](Scrape& scrape) {
    scrape.gauge("waypost_proxy_unserved_health_check_ports",
                 "Services whose health-check port another program or Service has.",
                 static_cast<double>(health_check_ports->unserved()));
  });
}

// What the status page says of the program.
NodePageFacts NodeLifeCycle::State::page_facts() const {
  NodePageFacts facts{.node = node_name(config),
                      .source = origin,
                      .backend = backend.backend,
                      .is_healthy = is_healthy(),
                      .is_in_force = is_in_force(),
                      .kinds = {},
                      .problems = {},
                      .families = {}};
  if (api != nullptr) {
    facts.kinds = api->statuses();
  }
  if (source) {
    for (const Error& problem : source->errors()) {
      facts.problems.push_back(problem.message);
    }
  }
  for (const auto& family : families) {
    facts.families.push_back(
        {label_of(family->family), family->family, &family->metrics, family->proxy.get()});
  }
  return facts;
}

void NodeLifeCycle::State::report_ready() {
  if (!is_serving()) {
    return;
  }
  if (!std::exchange(is_ready, true)) {
    for (const auto& family : families) {
      const auto& chains = family->proxy->applier().committed().chains;
      print(fmt::format("{}: {} filter rules, {} nat rules in force", label_of(family->family),
                        chains.rule_count(proxy::Table::Filter),
                        chains.rule_count(proxy::Table::Nat)));
    }
    print("ready");
  }
}

//------------------------------------------------------------------ the door

NodeLifeCycle::NodeLifeCycle(std::unique_ptr<State> state) : state_(std::move(state)) {}

NodeLifeCycle::~NodeLifeCycle() = default;

Result<std::unique_ptr<NodeLifeCycle>> NodeLifeCycle::start(NodeConfig config, PrintLine print) {
  auto state = std::make_unique<State>(std::move(config), std::move(print));
  for (const auto step : {&State::choose_backend, &State::follow_addresses}) {
    if (const Result<void> done = (state.get()->*step)(); !done) {
      return std::unexpected(done.error());
    }
  }
  state->await_signal();
  if (auto served = state->serve_probes(); !served) {
    return std::unexpected(served.error());
  }
  if (state->config.programs_services) {
    state->serve_rules();
  }
  if (auto served = state->serve_dns(); !served) {
    return std::unexpected(served.error());
  }
  state->cache.subscribe(*state);
  if (auto opened = state->open_source(); !opened) {
    return std::unexpected(opened.error());
  }
  return std::unique_ptr<NodeLifeCycle>(new NodeLifeCycle(std::move(state)));
}

void NodeLifeCycle::run() {
  state_->context.run();
  if (state_->dns) {
    state_->print("stopped: " + state_->dns->stop());
  }
}

//------------------------------------------------------------------ cleaning up

namespace {

// Of kube-proxy's canaries one is in a table that has nothing else of a Service proxy.
asio::awaitable<Result<void>> remove_mangle_canary(proxy::KernelTables& tables) {
  const auto done = co_await tables.restore(std::make_shared<const std::string>(
      fmt::format("*mangle\n:{0} - [0:0]\n-X {0}\nCOMMIT\n", proxy::CanaryChain)));
  co_return done ? Result<void>() : failure(ErrorKind::System, done.error().message);
}

asio::awaitable<Result<proxy::Removal>> clean_family(proxy::Backend backend,
                                                     kube::IpFamily family) {
  proxy::BackendProbe probe;
  const Result<void> looked =
      co_await proxy::save_all(backend, family, [&](std::string_view piece) { probe.take(piece); });
  if (!looked) {
    co_return proxy::Removal{};
  }
  const proxy::BackendFinding& found = probe.finding();
  proxy::Iptables tables(backend, family);
  Result<proxy::Removal> removal = proxy::Removal{};
  // Asking a legacy table for its rules would make it.
  if (found.own_chains != 0) {
    removal = co_await proxy::remove_everything(
        tables, found.has_raw_chains
                    ? std::vector{proxy::Table::Filter, proxy::Table::Nat, proxy::Table::Raw}
                    : std::vector{proxy::Table::Filter, proxy::Table::Nat});
  }
  if (removal && found.has_mangle_canary) {
    if (const Result<void> removed = co_await remove_mangle_canary(tables); !removed) {
      co_return std::unexpected(removed.error());
    }
    ++removal->removed;
  }
  co_return removal;
}

}  // namespace

Result<void> clean_up(const NodeLifeCycle::PrintLine& print) {
  asio::io_context context{1};
  for (const proxy::Backend backend : {proxy::Backend::Nft, proxy::Backend::Legacy}) {
    for (const kube::IpFamily family : {kube::IpFamily::V4, kube::IpFamily::V6}) {
      const auto cleaned = run_to_end(context, clean_family(backend, family));
      if (!cleaned) {
        return std::unexpected(with_context(
            cleaned.error(), fmt::format("{}, {}", proxy::to_text(backend), label_of(family))));
      }
      const std::string where = fmt::format("{}, {}", proxy::to_text(backend), label_of(family));
      if (cleaned->removed != 0) {
        print(fmt::format("{}: {} chain{} removed", where, cleaned->removed,
                          cleaned->removed == 1 ? "" : "s"));
      }
      if (cleaned->kept != 0) {
        print(fmt::format("{}: left behind, empty, because rules of others lead there: {}", where,
                          cleaned->kept));
      }
    }
  }
  print("clean");
  return {};
}

}  // namespace waypost::ops
