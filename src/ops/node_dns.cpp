#include "ops/node_dns.h"

#include "base/log.h"
#include "ops/api_connection.h"
#include "ops/run_to_end.h"
#include "proxy/dns_rules.h"
#include "proxy/xtables_lock.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;

constexpr std::uint16_t Port = 53;
constexpr std::chrono::seconds TickInterval{1};
// Rules are waited for so long; without them DNS works, only not as well.
constexpr std::chrono::seconds RulesPatience{5};
// How often the lock is waited for when rules are to be removed.
constexpr int RemovalAttempts = 3;

constexpr std::string_view label_of(kube::IpFamily family) noexcept {
  return family == kube::IpFamily::V4 ? "IPv4" : "IPv6";
}

// Addresses of a family that the host does not have are nobody's.
std::vector<IpAddress> usable(const std::vector<IpAddress>& addresses, bool has_ipv6) {
  std::vector<IpAddress> out;
  for (const IpAddress& address : addresses) {
    if (address.is_v4() || has_ipv6) {
      out.push_back(address);
    } else {
      log::info("this host has no IPv6; DNS is not answered on {}", address.to_text());
    }
  }
  return out;
}

}  // namespace

NodeDns::NodeDns(asio::io_context& context, cache::ServiceCache& cache, const NodeDnsConfig& config,
                 Surroundings surroundings)
    : context_(context),
      cache_(cache),
      surroundings_(std::move(surroundings)),
      local_(usable(config.local_addresses, surroundings_.has_ipv6)),
      cluster_(usable(config.cluster_addresses, surroundings_.has_ipv6)),
      interface_(config.interface),
      config_(config.answers),
      started_(config.answers),
      host_searches_(context, started_.completion.is_on,
                     [this](const auto& domains) { world_.complete_searches(domains); }),
      tick_(context) {
  if (surroundings_.has_rules) {
    gate_.emplace(cache_, MaxNameHold);
  }
  host_searches_.configure(config_.completion);
  world_.serve_feed(record_options(config_.records),
                    gate_ ? static_cast<cache::Feed&>(*gate_) : cache_);
  answering_.emplace(context_, views_, config_);
  follower_.emplace(
      context_, ConfigOrigin{.file = config.file},
      [](const ConfigOrigin& origin) { return load_node_dns_config(origin); },
      [this](Config next) { put_in_force(std::move(next)); });
}

Result<std::unique_ptr<NodeDns>> NodeDns::start(asio::io_context& context,
                                                cache::ServiceCache& cache,
                                                const NodeDnsConfig& config,
                                                Surroundings surroundings) {
  std::unique_ptr<NodeDns> dns(new NodeDns(context, cache, config, std::move(surroundings)));
  if (Result<void> opened = dns->open(); !opened) {
    return std::unexpected(std::move(opened.error()));
  }
  return dns;
}

NodeDns::~NodeDns() = default;

Result<void> NodeDns::open() {
  server::Options options = started_.server;
  options.listen.clear();
  for (const auto* addresses : {&local_, &cluster_}) {
    for (const IpAddress& address : *addresses) {
      options.listen.push_back({address, Port});
    }
  }
  if (options.listen.empty()) {
    return failure(ErrorKind::Unsupported,
                   "DNS on this node: no address of a family that the "
                   "host has");
  }
  // Sockets come before the addresses: whoever reaches one of these is answered.
  options.free_bind = true;
  const Result<void> started = answering_->start(
      options, [this]() -> const records::Publisher& { return world_.publisher(); });
  if (!started) {
    return started;
  }
  auto device = proxy::LocalDevice::make(interface_);
  if (!device) {
    return std::unexpected(device.error());
  }
  device_.emplace(std::move(*device));
  add_family(kube::IpFamily::V4);
  if (surroundings_.has_ipv6) {
    add_family(kube::IpFamily::V6);
  }
  await_tick();
  return {};
}

void NodeDns::add_family(kube::IpFamily its) {
  std::vector<IpAddress> all = local_;
  all.insert(all.end(), cluster_.begin(), cluster_.end());
  proxy::RuleSet rules = proxy::dns_rules(all, its, Port);
  if (rules.jumps().empty()) {
    return;
  }
  auto family = std::make_unique<Family>(surroundings_.backend, its);
  proxy::ApplierOptions options;
  options.label = fmt::format("{}, DNS", label_of(its));
  options.tables = {proxy::Table::Raw};
  proxy::ApplierEvents events;
  events.lock_holder = [] { return proxy::lock_holder(proxy::xtables_lock_path()); };
  events.on_sync = [this, one = family.get()](const proxy::SyncReport& report) {
    one->was_tried = true;
    one->failures += report.failure.empty() ? 0 : 1;
    bring_up();
  };
  family->applier.emplace(context_.get_executor(), family->tables, std::move(options),
                          std::move(events));
  asio::co_spawn(context_, family->applier->run(), asio::detached);
  asio::co_spawn(context_, family->applier->watch(), asio::detached);
  family->applier->want(std::move(rules), 1);
  families_.push_back(std::move(family));
}

//------------------------------------------------------------------ addresses

bool NodeDns::is_known() const {
  return gate_ ? gate_->is_synced() : cache_.is_synced();
}

bool NodeDns::is_there(const IpAddress& address) const noexcept {
  return std::find(there_.begin(), there_.end(), address) != there_.end();
}

std::size_t NodeDns::count_there(const std::vector<IpAddress>& addresses) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(addresses.begin(), addresses.end(),
                    [this](const IpAddress& address) { return is_there(address); }));
}

bool NodeDns::is_ready() const noexcept {
  return is_known() && count_there(local_) == local_.size() &&
         count_there(cluster_) == cluster_.size();
}

// Finds out what somebody else did to the interface.  Addresses that are gone are added by
// bring_up().
void NodeDns::verify() {
  device_problem_.clear();
  auto found = device_ ? device_->look()
                       : Result<proxy::LocalDevice::Condition>(
                             failure(ErrorKind::NotFound, "it could not be made again"));
  if (!found && found.error().kind == ErrorKind::NotFound) {
    if (device_) {
      log::warn("interface {}: {}; it is made again", interface_, found.error().message);
    }
    device_.reset();  // First: another one may have that name while this one exists.
    found = proxy::LocalDevice::Condition{.is_up = true, .addresses = {}};
    if (auto made = proxy::LocalDevice::make(interface_)) {
      device_.emplace(std::move(*made));
    } else {
      device_problem_ = made.error().message;
    }
  }
  if (!found) {
    device_problem_ = fmt::format("interface {}: {}", interface_, found.error().message);
    return;  // What was there is taken to be there still.
  }
  if (!found->is_up) {
    if (const Result<void> up = device_->set_up(); up) {
      log::warn("interface {}: somebody set it down; it is set up again", interface_);
    } else {
      device_problem_ = fmt::format("interface {}: {}", interface_, up.error().message);
    }
  }
  std::vector<IpAddress> gone;
  for (const IpAddress& address : there_) {
    if (!std::binary_search(found->addresses.begin(), found->addresses.end(), address)) {
      gone.push_back(address);
    }
  }
  if (!gone.empty()) {
    log::warn(
        "interface {}: somebody removed {} of {} addresses, among them {}; they are added again",
        interface_, gone.size(), there_.size(), gone.front().to_text());
    lost_ += gone.size();
    std::erase_if(there_, [&](const IpAddress& address) {
      return std::find(gone.begin(), gone.end(), address) != gone.end();
    });
  }
}

// Of what cannot be added, the first is told.
void NodeDns::add_missing(const std::vector<IpAddress>& addresses, std::string& problem) {
  for (const IpAddress& address : addresses) {
    if (!device_ || is_there(address)) {
      continue;
    }
    if (const Result<void> added = device_->add(address); added) {
      there_.push_back(address);
    } else if (problem.empty()) {
      problem = fmt::format("interface {}: {}", interface_, added.error().message);
    }
  }
}

// Called whenever something that addresses wait for may have happened.
void NodeDns::bring_up() {
  const bool are_rules_tried = std::all_of(families_.begin(), families_.end(),
                                           [](const auto& family) { return family->was_tried; }) ||
                               std::chrono::steady_clock::now() - began_ >= RulesPatience;
  std::string problem = device_problem_;
  if (are_rules_tried) {
    add_missing(local_, problem);
    if (is_known()) {
      add_missing(cluster_, problem);
    }
  }
  tell(std::move(problem));
  // Since the last time: what is known may have made it ready before anything was done here.
  if (!std::exchange(was_ready_, is_ready()) && was_ready_) {
    surroundings_.on_ready();
  }
}

void NodeDns::tell(std::string problem) {
  if (problem == problem_) {
    return;
  }
  problem_ = std::move(problem);
  if (problem_.empty()) {
    log::info("interface {}: the addresses that were missing are there", interface_);
  } else {
    log::error("{}; trying again every second", problem_);
  }
}

//------------------------------------------------------------------ reacting

records::Options NodeDns::record_options(const records::Options& wanted) const {
  records::Options options = within_reach(wanted, started_.records);
  options.own_addresses = local_;
  options.own_addresses.insert(options.own_addresses.end(), cluster_.begin(), cluster_.end());
  return options;
}

void NodeDns::put_in_force(Config next) {
  const Config before = std::exchange(config_, std::move(next));
  if (within_reach(config_.records, started_.records) != config_.records) {
    log::warn(
        "labels, namespaceLabels, endpointPodNames: what was not asked of the API server at start "
        "is so at restart");
  }
  answering_->configure(config_);
  host_searches_.configure(config_.completion);
  world_.apply(record_options(config_.records));
  report_changes(started_, before, config_);
}

void NodeDns::reload() {
  follower_->reload();
  answering_->reload_files();
}

void NodeDns::on_in_force(std::uint64_t changes) {
  if (gate_) {
    gate_->open(changes);
    bring_up();
  }
}

void NodeDns::on_addresses() {
  verify();
  bring_up();
}

void NodeDns::on_tick() {
  world_.reclaim();
  if (gate_) {
    if (const std::size_t late = gate_->let_overdue_through(std::chrono::steady_clock::now())) {
      log::warn(
          "{} names are answered although their rules have not been in force for {} s since they "
          "were known",
          late, MaxNameHold.count());
    }
  }
  on_addresses();
}

void NodeDns::await_tick() {
  tick_.expires_after(TickInterval);
  tick_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) {
      on_tick();
      await_tick();
    }
  });
}

//------------------------------------------------------------------ telling

void NodeDns::collect(Scrape& scrape) {
  answering_->collect(scrape);
  if (surroundings_.is_dated) {
    world_.programming_times().collect(scrape);
  }
  if (world_.pods() != nullptr) {
    answering_->collect_searches(scrape, *world_.pods());
  }
  for (const auto& family : families_) {
    scrape.counter("waypost_node_dns_rule_failures_total",
                   "Times that rules against connection tracking could not be written.",
                   static_cast<double>(family->failures),
                   {{"ip_family", std::string(label_of(family->family))}});
  }
  scrape.gauge("waypost_node_dns_addresses",
               "Addresses that DNS is answered on: the node's own, and the cluster DNS Service's.",
               static_cast<double>(count_there(local_)), {{"of", "node"}});
  scrape.gauge("waypost_node_dns_addresses", "", static_cast<double>(count_there(cluster_)),
               {{"of", "cluster"}});
  scrape.counter("waypost_node_dns_lost_addresses_total",
                 "Times that one of these addresses was gone, and had to be added again.",
                 static_cast<double>(lost_));
  if (gate_) {
    scrape.gauge("waypost_node_dns_held_services",
                 "Services whose names wait until their rules are in force.",
                 static_cast<double>(gate_->held()));
    scrape.counter("waypost_node_dns_overdue_services_total",
                   "Services whose names did not wait any longer.",
                   static_cast<double>(gate_->overdue()));
  }
}

std::vector<std::string> NodeDns::places() const {
  std::vector<std::string> lines;
  for (const SocketAddress& address : answering_->addresses()) {
    lines.push_back(fmt::format("answering DNS on {} (udp, tcp)", address.to_text()));
  }
  return lines;
}

//------------------------------------------------------------------ leaving

std::string NodeDns::stop() {
  device_.reset();  // First: from here on the cluster's DNS is asked.
  std::string totals = answering_->totals();
  answering_->stop();
  asio::io_context own{1};
  for (const auto& family : families_) {
    Result<proxy::Removal> removed = proxy::Removal{};
    for (int attempt = 0; attempt < RemovalAttempts; ++attempt) {
      removed = run_to_end(own, proxy::remove_everything(family->tables, {proxy::Table::Raw}));
      if (removed) {
        break;
      }
    }
    if (!removed) {
      log::warn("{}, DNS: the rules stay, which match nothing any more: {}",
                label_of(family->family), removed.error().message);
    }
  }
  return totals;
}

}  // namespace waypost::ops
