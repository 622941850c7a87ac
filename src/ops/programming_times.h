// How long it takes from a change in the cluster until names are answered with it.
//
// By CoreDNS' metric, of which CoreDNS itself measures headless Services with a selector only.  For
// these the control plane says when it changed endpoints, in an annotation of their slices.  What
// else there is is measured from its creation, in whole seconds, and its later changes are not.

#pragma once

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

// Counts what comes after the feed was synced, and is told of it after the names have changed: it
// has to subscribe after the Publisher.
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
  // A millisecond, doubled up to nine minutes, as CoreDNS has it; the last is for all above.
  static constexpr double FirstBound = 0.001;
  struct Times {
    std::array<std::uint64_t, 21> counts{};
    double sum_seconds = 0;
  };

  Now now_;
  bool synced_ = false;
  std::array<Times, ServiceKindCount> times_;
};

}  // namespace waypost::ops
