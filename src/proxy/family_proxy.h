// The Services of one address family, from the world to the kernel.
//
//     ServiceCache ──► Compiler ──► Applier ──► iptables
//          └──► StaleFlows ──── once committed ──► conntrack
//
// Whatever fills the cache drives it: deltas are compiled as they come, and what a burst of them
// amounts to is handed on once the burst is over.  Nothing is written before the cache is synced
// and the node's facts are complete (proxy/config.h).
//
// Not here: which families and backends there are, flags, metrics, HTTP (ops/).

#pragma once

#include "cache/service_cache.h"
#include "kube/objects.h"
#include "proxy/applier.h"
#include "proxy/compiler.h"
#include "proxy/config.h"
#include "proxy/conntrack.h"
#include "proxy/iptables.h"
#include "proxy/stale_flows.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace waypost::proxy {

// How long one generation took, from the first delta in it.
struct GenerationTimes {
  std::chrono::nanoseconds compile{0};  // All deltas and the trees.
  std::chrono::nanoseconds total{0};    // From the first delta to the commit.
  // From what the control plane says changed an endpoint (trigger time annotation) to the commit.
  std::vector<std::chrono::milliseconds> since_trigger;
  std::size_t service_changes = 0;
  std::size_t endpoint_changes = 0;
};

// What is told on the way; each may be empty.  `lock_holder` is taken from here, too.
struct FamilyEvents {
  ApplierEvents applier;  // Its on_quarantine is not used.
  std::function<void(const GenerationTimes&)> on_committed;
  std::function<void(const kube::ObjectKey&, const std::string& reason)> on_quarantine;
  std::function<void(const SweepCounts&, std::chrono::nanoseconds)> on_sweep;
};

// Control thread only.
class FamilyProxy final : public cache::Consumer {
 public:
  // `context`, `cache` and `kernel` are borrowed and outlive this object, and `context` does not
  // run any more when it is destroyed.
  FamilyProxy(boost::asio::io_context& context, cache::ServiceCache& cache, KernelTables& kernel,
              kube::IpFamily family, Config config, NodeFacts facts, ApplierOptions options,
              FamilyEvents events);
  ~FamilyProxy() override;
  FamilyProxy(const FamilyProxy&) = delete;
  FamilyProxy& operator=(const FamilyProxy&) = delete;

  // The node has other addresses or labels.
  void set_node(NodeFacts facts);

  const Compiler& compiler() const noexcept { return compiler_; }
  const Applier& applier() const noexcept { return applier_; }
  // Changes that are not in force yet.
  std::size_t pending_service_changes() const noexcept;
  std::size_t pending_endpoint_changes() const noexcept;
  // How many of the deltas of Services that came since this object was made are in force.
  std::uint64_t changes_in_force() const noexcept { return changes_in_force_; }
  // Since when the oldest of what is known has been waiting to be in force; nothing when all is.
  std::optional<std::chrono::steady_clock::time_point> waiting_since() const noexcept;

  void on_service(const cache::ServiceDelta& delta) override;
  void on_namespace(const cache::ObjectDelta<kube::Namespace>& /*delta*/) override {}
  void on_pod(const cache::ObjectDelta<kube::Pod>& /*delta*/) override {}
  void on_synced() override;
  void on_resource_version(std::uint64_t /*version*/) override {}

 private:
  using Clock = std::chrono::steady_clock;

  // Everything between two calls of want().
  struct Generation {
    std::uint64_t number = 0;
    std::uint64_t changes = 0;  // The count of its last delta.
    Clock::time_point begun{};
    Clock::time_point handed_on{};
    GenerationTimes times;
    std::vector<std::int64_t> triggers_ms;
    StaleFlows stale;
    bool is_empty() const noexcept { return begun == Clock::time_point{}; }
  };

  ApplierEvents applier_events();
  void note(const cache::ServiceDelta& delta);
  void schedule_flush();
  void flush();
  void on_commit(const SyncReport& report);
  void on_quarantine(const QuarantineReport& report);
  void tell(Generation& generation);
  // What `older` noted comes into `newer`.
  static void take_over(StaleFlows& newer, StaleFlows older);
  boost::asio::awaitable<void> sweep_forever();
  boost::asio::awaitable<Result<SweepCounts>> sweep();
  // Of a flow that the kernel may be about to see answered: notes it on the first walk.
  bool is_stale_in(unsigned walk, const Flow& flow);

  boost::asio::io_context& context_;
  cache::ServiceCache& cache_;
  const FamilyEvents events_;
  Compiler compiler_;
  Applier applier_;

  std::uint64_t number_ = 0;
  std::uint64_t changes_ = 0;  // Deltas so far.
  std::uint64_t changes_in_force_ = 0;
  Generation open_;                   // Takes deltas.
  std::deque<Generation> handed_on_;  // Not committed yet, oldest first; at most MaxHandedOn.
  bool is_flush_scheduled_ = false;
  bool has_committed_ = false;

  StaleFlows due_;                      // To be looked for.
  StaleFlows sweeping_;                 // Being looked for.
  std::set<std::uint32_t> unanswered_;  // Entries that the first walk found.
  Clock::duration walked_{0};           // How long the last walk took.
  boost::asio::steady_timer sweep_wake_;
};

}  // namespace waypost::proxy
