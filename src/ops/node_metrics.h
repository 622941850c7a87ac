// What waypost-node counts, under kube-proxy's names where it means the same.
//
// kube-proxy's first bucket of network_programming_duration is a quarter of a second; here all
// durations have the buckets of ops/histogram.h.

#pragma once

#include "kube/objects.h"
#include "ops/histogram.h"
#include "ops/metrics.h"
#include "proxy/applier.h"
#include "proxy/family_proxy.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <span>

namespace waypost::ops {

// Adds up what a counter of the kernel counted that begins at 0 again whenever its rule is written
// anew.  What was counted between the last reading and that is lost.
class KernelCount {
 public:
  void read(std::uint64_t now) noexcept {
    total_ += now >= last_ ? now - last_ : now;
    last_ = now;
  }
  std::uint64_t total() const noexcept { return total_; }

 private:
  std::uint64_t total_ = 0;
  std::uint64_t last_ = 0;
};

// Of one address family.  Control thread only.
struct FamilyMetrics {
  Histogram sync;          // Compare and restore, of every sync that succeeded.
  Histogram full_sync;     // Of those that compared with what was read.
  Histogram partial_sync;  // Of the others.
  Histogram compile;
  Histogram compare;
  Histogram restore;
  Histogram commit;       // From the first change in it to the commit.
  Histogram programming;  // From the control plane's change to the commit.
  Histogram read_back;
  Histogram conntrack;
  double last_sync_time = 0;  // Unix seconds.
  double last_queued_time = 0;
  std::uint64_t service_changes = 0;
  std::uint64_t endpoint_changes = 0;
  std::uint64_t restore_failures = 0;
  std::uint64_t partial_restore_failures = 0;
  std::uint64_t lock_busy = 0;
  std::uint64_t quarantines = 0;
  std::uint64_t deleted_flows = 0;
  std::array<std::uint64_t, proxy::TableCount> drift{};       // Chains.
  std::array<std::uint64_t, proxy::TableCount> rules_last{};  // Written by the last sync.
  std::array<std::uint64_t, proxy::TableCount> rules_in_force{};

  std::array<KernelCount, proxy::RuleCounterCount> rule_counts;

  void on_sync(const proxy::SyncReport& report);
  void on_read(const proxy::SavedTable& saved) noexcept;
  void on_committed(const proxy::GenerationTimes& times);
};

struct ProbeCounts {
  std::map<unsigned, std::uint64_t> healthz;  // By status.
  std::map<unsigned, std::uint64_t> livez;
};

// Adds the family's values to a scrape.
void collect_family(Scrape& scrape, const FamilyMetrics& metrics, const proxy::FamilyProxy& proxy);
void collect_probes(Scrape& scrape, const ProbeCounts& probes);
// What rules counted, in all families together.
void collect_rule_counts(Scrape& scrape, std::span<const FamilyMetrics* const> families);
// Whether no rules are written because the node's spec.podCIDRs are not known.
void collect_waiting(Scrape& scrape, bool is_waiting);

}  // namespace waypost::ops
