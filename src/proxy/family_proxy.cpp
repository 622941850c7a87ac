#include "proxy/family_proxy.h"

#include "base/log.h"
#include "proxy/service_port.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace waypost::proxy {
namespace {

namespace asio = boost::asio;

constexpr auto Quietly = asio::as_tuple(asio::use_awaitable);

// More generations than this are not told apart while the kernel is behind.
constexpr std::size_t MaxHandedOn = 64;
// Trigger times that are remembered for one generation; a first sync has many, and measures the
// age of the cluster rather than this program.
constexpr std::size_t MaxTriggers = 1024;

// After a walk through the connection table the next one waits this many times as long as it took,
// and at least so long.
constexpr unsigned SweepRestFactor = 4;
constexpr std::chrono::milliseconds SweepRest{200};

// Longer than an answer takes, shorter than the first retransmission of a SYN (RFC 6298, 2.1).
constexpr std::chrono::milliseconds SynPatience{800};
constexpr std::size_t MaxUnanswered = 65536;

std::size_t changed_slices(const cache::ServiceDelta& delta, std::vector<std::int64_t>& triggers) {
  std::size_t changed = 0;
  for (const cache::SlicePointer& slice : delta.after.slices) {
    const auto& before = delta.before.slices;
    if (std::find(before.begin(), before.end(), slice) == before.end()) {
      ++changed;
      if (slice->traffic && slice->traffic->trigger_time_ms != 0 && triggers.size() < MaxTriggers) {
        triggers.push_back(slice->traffic->trigger_time_ms);
      }
    }
  }
  if (delta.after.slices.size() < delta.before.slices.size()) {
    ++changed;
  }
  return changed;
}

}  // namespace

FamilyProxy::FamilyProxy(asio::io_context& context, cache::ServiceCache& cache,
                         KernelTables& kernel, kube::IpFamily family, Config config,
                         NodeFacts facts, ApplierOptions options, FamilyEvents events)
    : context_(context),
      cache_(cache),
      events_(std::move(events)),
      compiler_(family, std::move(config), std::move(facts)),
      applier_(context.get_executor(), kernel, std::move(options), applier_events()),
      sweep_wake_(context) {
  asio::co_spawn(context_, applier_.run(), asio::detached);
  asio::co_spawn(context_, applier_.watch(), asio::detached);
  asio::co_spawn(context_, sweep_forever(), asio::detached);
  cache_.subscribe(*this);
  schedule_flush();
}

FamilyProxy::~FamilyProxy() {
  cache_.unsubscribe(*this);
}

ApplierEvents FamilyProxy::applier_events() {
  ApplierEvents events = events_.applier;
  events.on_sync = [this](const SyncReport& report) { on_commit(report); };
  events.on_quarantine = [this](const QuarantineReport& report) { on_quarantine(report); };
  return events;
}

//------------------------------------------------------------------ the world changes

void FamilyProxy::on_service(const cache::ServiceDelta& delta) {
  const auto started = Clock::now();
  ++changes_;
  if (open_.is_empty()) {
    open_.begun = started;
  }
  note(delta);
  compiler_.apply(delta.key, delta.after);
  open_.times.compile += Clock::now() - started;
  schedule_flush();
}

void FamilyProxy::note(const cache::ServiceDelta& delta) {
  if (delta.before.service != delta.after.service) {
    ++open_.times.service_changes;
  }
  open_.times.endpoint_changes += changed_slices(delta, open_.triggers_ms);
  const std::string& node = compiler_.node().name;
  if (has_committed_) {
    const auto after = view_ports(delta.after, compiler_.family(), node);
    open_.stale.note(view_ports(delta.before, compiler_.family(), node), after);
    // What is still to be looked for was noted before these endpoints were there.
    std::optional<StaleFlows::Frontends> frontends;  // Made once, if anybody wants it.
    const auto learn = [&](StaleFlows& flows) {
      if (!flows.empty()) {
        if (!frontends) {
          frontends = StaleFlows::frontends_of(after);
        }
        flows.learn(*frontends);
      }
    };
    learn(due_);
    learn(sweeping_);
    for (Generation& generation : handed_on_) {
      learn(generation.stale);
    }
  } else if (delta.after.service &&
             std::any_of(delta.after.service->ports.begin(), delta.after.service->ports.end(),
                         [](const auto& port) { return port.protocol == kube::Protocol::Udp; })) {
    open_.stale.note_present(view_ports(delta.after, compiler_.family(), node));
  }
}

void FamilyProxy::on_synced() {
  schedule_flush();
}

void FamilyProxy::set_node(NodeFacts facts) {
  if (facts == compiler_.node()) {
    return;
  }
  if (open_.is_empty()) {
    open_.begun = Clock::now();
  }
  compiler_.set_node(std::move(facts), cache_);
  schedule_flush();
}

void FamilyProxy::schedule_flush() {
  if (!std::exchange(is_flush_scheduled_, true)) {
    asio::post(context_, [this] {
      is_flush_scheduled_ = false;
      flush();
    });
  }
}

void FamilyProxy::flush() {
  if (!cache_.is_synced() || !is_complete(compiler_.config(), compiler_.node())) {
    return;
  }
  const auto started = Clock::now();
  const bool is_first = number_ == 0;
  const bool has_changes = !compiler_.settle().empty();
  open_.times.compile += Clock::now() - started;
  open_.number = ++number_;
  open_.changes = changes_;
  open_.handed_on = Clock::now();
  if (open_.is_empty()) {
    open_.begun = started;
  }
  handed_on_.push_back(std::exchange(open_, {}));
  if (handed_on_.size() > MaxHandedOn) {
    Generation& second = handed_on_[1];
    second.begun = handed_on_[0].begun;
    second.handed_on = handed_on_[0].handed_on;
    second.times.compile += handed_on_[0].times.compile;
    second.times.service_changes += handed_on_[0].times.service_changes;
    second.times.endpoint_changes += handed_on_[0].times.endpoint_changes;
    take_over(second.stale, std::move(handed_on_[0].stale));
    handed_on_.pop_front();
  }
  if (is_first || has_changes || !applier_.is_settled()) {
    applier_.want(compiler_.rules(), number_);
    return;
  }
  // Nothing in the rules depends on what changed; it is in force already.
  SyncReport report;
  report.generation = number_;
  for (const Table table : ServiceTables) {
    report.rules_in_force[static_cast<std::size_t>(table)] =
        applier_.committed().chains.rule_count(table);
  }
  on_commit(report);
}

//------------------------------------------------------------------ the kernel follows

void FamilyProxy::on_commit(const SyncReport& report) {
  if (report.failure.empty()) {
    bool has_stale = false;
    while (!handed_on_.empty() && handed_on_.front().number <= report.generation) {
      Generation generation = std::move(handed_on_.front());
      handed_on_.pop_front();
      changes_in_force_ = generation.changes;
      tell(generation);
      take_over(generation.stale, std::move(due_));
      due_ = std::move(generation.stale);
      has_stale = has_stale || !due_.empty();
    }
    has_committed_ = true;
    if (has_stale) {
      sweep_wake_.cancel();
    }
  }
  if (events_.applier.on_sync) {
    events_.applier.on_sync(report);
  }
}

void FamilyProxy::tell(Generation& generation) {
  using std::chrono::milliseconds;
  const auto now_ms =
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  if (has_committed_) {
    for (const std::int64_t trigger : generation.triggers_ms) {
      generation.times.since_trigger.push_back(
          std::max(milliseconds(0), now_ms - milliseconds(trigger)));
    }
  }
  generation.times.total = Clock::now() - generation.begun;
  if (events_.on_committed) {
    events_.on_committed(generation.times);
  }
}

void FamilyProxy::on_quarantine(const QuarantineReport& report) {
  const kube::ObjectKey* owner = compiler_.owner(report.owner);
  if (owner == nullptr) {
    return;
  }
  const kube::ObjectKey key = *owner;  // It does not survive its quarantine.
  log::error("{}: Service {}: the kernel refuses its rules: {}; it has none until it changes",
             compiler_.family() == kube::IpFamily::V4 ? "IPv4" : "IPv6", key.to_text(),
             report.reason);
  compiler_.quarantine(key, report.reason);
  (void)compiler_.settle();
  applier_.want(compiler_.rules(), number_);
  if (events_.on_quarantine) {
    events_.on_quarantine(key, report.reason);
  }
}

std::size_t FamilyProxy::pending_service_changes() const noexcept {
  std::size_t pending = open_.times.service_changes;
  for (const Generation& generation : handed_on_) {
    pending += generation.times.service_changes;
  }
  return pending;
}

std::size_t FamilyProxy::pending_endpoint_changes() const noexcept {
  std::size_t pending = open_.times.endpoint_changes;
  for (const Generation& generation : handed_on_) {
    pending += generation.times.endpoint_changes;
  }
  return pending;
}

std::optional<std::chrono::steady_clock::time_point> FamilyProxy::waiting_since() const noexcept {
  return handed_on_.empty() ? std::nullopt : std::optional(handed_on_.front().handed_on);
}

//------------------------------------------------------------------ connections

void FamilyProxy::take_over(StaleFlows& newer, StaleFlows older) {
  if (const std::size_t forgotten = newer.merge_older(std::move(older)); forgotten != 0) {
    log::warn(
        "stale connections: too many endpoints to look for; flows of {} ports are left to "
        "their timeouts",
        forgotten);
  }
}

// A flow whose Service has changed again meanwhile is left to the next walk.  A connection whose
// SYN was just sent may be answered before its entry is deleted, and would then be cut off: it has
// to be unanswered for SynPatience.
bool FamilyProxy::is_stale_in(unsigned walk, const Flow& flow) {
  const std::vector<IpAddress>& addresses = compiler_.node().addresses;
  if (due_.knows(flow, addresses) || !sweeping_.is_stale(flow, addresses)) {
    return false;
  }
  if (flow.protocol != kube::Protocol::Tcp) {
    return true;
  }
  if (walk == 0 && unanswered_.size() < MaxUnanswered) {
    unanswered_.insert(flow.id);
  }
  return walk == 1 && unanswered_.contains(flow.id);
}

asio::awaitable<Result<SweepCounts>> FamilyProxy::sweep() {
  unanswered_.clear();
  const auto started = Clock::now();
  Result<SweepCounts> counts = co_await sweep_flows(
      compiler_.family(), [this](const Flow& flow) { return is_stale_in(0, flow); });
  walked_ = Clock::now() - started;
  if (!counts || unanswered_.empty()) {
    co_return counts;
  }
  asio::steady_timer patience(context_, SynPatience);
  co_await patience.async_wait(Quietly);
  const Result<SweepCounts> more = co_await sweep_flows(
      compiler_.family(), [this](const Flow& flow) { return is_stale_in(1, flow); });
  if (!more) {
    co_return std::unexpected(more.error());
  }
  counts->deleted += more->deleted;
  counts->failed += more->failed;
  co_return counts;
}

asio::awaitable<void> FamilyProxy::sweep_forever() {
  for (;;) {
    while (due_.empty()) {
      sweep_wake_.expires_at(Clock::time_point::max());
      co_await sweep_wake_.async_wait(Quietly);
    }
    sweeping_ = std::exchange(due_, {});
    const Result<SweepCounts> counts = co_await sweep();
    if (!counts) {
      log::warn("stale connections: {}", counts.error().message);
      // What was looked for still is; a change of a Service in between counts more.
      take_over(due_, std::move(sweeping_));
    } else if (events_.on_sweep) {
      events_.on_sweep(*counts, walked_);
    }
    sweeping_ = {};
    asio::steady_timer rest(
        context_,
        std::max<Clock::duration>(walked_ * SweepRestFactor, counts ? SweepRest : SweepRest * 50));
    co_await rest.async_wait(Quietly);
  }
}

}  // namespace waypost::proxy
