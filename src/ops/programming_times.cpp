#include "ops/programming_times.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace waypost::ops {
namespace {

// Absent for a change that no name follows from, or that does not tell when it was made.
std::optional<ServiceKind> kind_of(const cache::ServiceDelta& delta) {
  const cache::ServicePointer& service = delta.after.service;
  if (!service || service->type == kube::ServiceType::ExternalName) {
    return std::nullopt;
  }
  // The name of a cluster IP comes with the Service, those of endpoints with slices.
  const bool is_about_service = delta.before.service != service;
  if (is_about_service == service->headless) {
    return std::nullopt;
  }
  if (!service->headless) {
    return ServiceKind::ClusterIp;
  }
  // Only the control plane's own slices, which it makes by selectors, have the annotation.
  return delta.times.triggered != 0 ? ServiceKind::HeadlessWithSelector
                                    : ServiceKind::HeadlessWithoutSelector;
}

}  // namespace

void ProgrammingTimes::on_service(const cache::ServiceDelta& delta) {
  const std::int64_t changed =
      delta.times.triggered != 0 ? delta.times.triggered : delta.times.created;
  if (!synced_ || changed == 0) {
    return;
  }
  const std::optional<ServiceKind> kind = kind_of(delta);
  if (!kind) {
    return;
  }
  const std::chrono::nanoseconds age =
      now_().time_since_epoch() - std::chrono::milliseconds(changed);
  times_[std::to_underlying(*kind)].observe(std::max(age, age.zero()));  // Two clocks.
}

void ProgrammingTimes::collect(Scrape& scrape) const {
  for (const auto& [kind, name] :
       {std::pair{ServiceKind::ClusterIp, "cluster_ip"},
        std::pair{ServiceKind::HeadlessWithSelector, "headless_with_selector"},
        std::pair{ServiceKind::HeadlessWithoutSelector, "headless_without_selector"}}) {
    scrape.histogram("coredns_kubernetes_dns_programming_duration_seconds",
                     "From a change in the cluster until names are answered with it.",
                     times_[std::to_underlying(kind)], {{"service_kind", name}});
  }
}

}  // namespace waypost::ops
