// How long it takes from a change in the cluster until names are answered with it.
//
// By CoreDNS' metric, of which CoreDNS itself measures headless Services with a selector only.  For
// these the control plane says when it changed endpoints, in an annotation of their slices.  What
// else there is is measured from its creation, in whole seconds, and its later changes are not.

#pragma once

#include "base/duration_histogram.h"
#include "cache/feed.h"
#include "ops/metrics.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace waypost::ops {

enum class ServiceKind : std::uint8_t { ClusterIp, HeadlessWithSelector, HeadlessWithoutSelector };
inline constexpr std::size_t ServiceKindCount = 3;

// Counts what comes after the feed was synced.  Whether it is told before the Publisher or after is
// some microseconds, which no bucket shows.
class ProgrammingTimes final : public cache::Consumer {
 public:
  using Now = std::function<std::chrono::system_clock::time_point()>;
  explicit ProgrammingTimes(Now now) : now_(std::move(now)) {}

  void on_service(const cache::ServiceDelta& delta) override;
  void on_namespace(const cache::ObjectDelta<kube::Namespace>&) override {}
  void on_pod(const cache::ObjectDelta<kube::Pod>&) override {}
  void on_synced() override { synced_ = true; }
  void on_resource_version(std::uint64_t) override {}

  void collect(Scrape& scrape) const;

 private:
  Now now_;
  bool synced_ = false;
  // A millisecond, doubled up to nine minutes, as CoreDNS has it.
  std::array<DurationHistogram<1000, 20>, ServiceKindCount> times_;
};

}  // namespace waypost::ops
