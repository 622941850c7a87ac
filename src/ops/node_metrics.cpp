#include "ops/node_metrics.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace waypost::ops {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

MetricLabels with(std::string_view family, std::string_view label, std::string_view value) {
  return {{"ip_family", std::string(family)}, {label, std::string(value)}};
}

}  // namespace

void FamilyMetrics::on_sync(const proxy::SyncReport& report) {
  if (!report.failure.empty()) {
    ++(report.is_full ? restore_failures : partial_restore_failures);
    return;
  }
  const auto took = report.compare_time + report.restore_time;
  sync.observe(took);
  (report.is_full ? full_sync : partial_sync).observe(took);
  compare.observe(report.compare_time);
  if (report.restore_time.count() != 0) {
    restore.observe(report.restore_time);
  }
  for (std::size_t table = 0; table < proxy::TableCount; ++table) {
    rules_last[table] = report.rules_written_to[table];
    rules_in_force[table] = report.rules_in_force[table];
  }
  last_sync_time = now_seconds();
}

void FamilyMetrics::on_read(const proxy::SavedTable& saved) noexcept {
  for (std::size_t i = 0; i < saved.packets.size(); ++i) {
    if (saved.packets[i]) {
      rule_counts[i].read(*saved.packets[i]);
    }
  }
}

void FamilyMetrics::on_committed(const proxy::GenerationTimes& times) {
  compile.observe(times.compile);
  commit.observe(times.total);
  for (const auto age : times.since_trigger) {
    programming.observe(age);
  }
  service_changes += times.service_changes;
  endpoint_changes += times.endpoint_changes;
  last_queued_time = now_seconds() - std::chrono::duration<double>(times.total).count();
}

void collect_family(Scrape& scrape, const FamilyMetrics& metrics, const proxy::FamilyProxy& proxy) {
  const std::string_view family = proxy.compiler().family() == kube::IpFamily::V4 ? "IPv4" : "IPv6";
  const MetricLabels labels = {{"ip_family", std::string(family)}};
  const auto count = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    scrape.counter(name, help, static_cast<double>(value), labels);
  };
  const auto gauge = [&](std::string_view name, std::string_view help, double value) {
    scrape.gauge(name, help, value, labels);
  };
  scrape.histogram("kubeproxy_sync_proxy_rules_duration_seconds",
                   "How long bringing the rules into the kernel took.", metrics.sync, labels);
  scrape.histogram("kubeproxy_sync_full_proxy_rules_duration_seconds",
                   "The same, when the kernel's rules had been read first.", metrics.full_sync,
                   labels);
  scrape.histogram("kubeproxy_sync_partial_proxy_rules_duration_seconds",
                   "The same, for a change of what was in force.", metrics.partial_sync, labels);
  scrape.histogram("kubeproxy_network_programming_duration_seconds",
                   "From the change of an endpoint, as the control plane dates it, to its rules.",
                   metrics.programming, labels);
  gauge("kubeproxy_sync_proxy_rules_last_timestamp_seconds", "When rules were in force last.",
        metrics.last_sync_time);
  gauge("kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
        "When the change that is in force came.", metrics.last_queued_time);
  gauge("kubeproxy_sync_proxy_rules_service_changes_pending", "Changes that are not in force yet.",
        static_cast<double>(proxy.pending_service_changes()));
  count("kubeproxy_sync_proxy_rules_service_changes_total", "Changes of Services.",
        metrics.service_changes);
  gauge("kubeproxy_sync_proxy_rules_endpoint_changes_pending", "Changes that are not in force yet.",
        static_cast<double>(proxy.pending_endpoint_changes()));
  count("kubeproxy_sync_proxy_rules_endpoint_changes_total", "Changes of EndpointSlices.",
        metrics.endpoint_changes);
  count("kubeproxy_sync_proxy_rules_iptables_restore_failures_total",
        "Runs of iptables-restore that failed, after the kernel's rules had been read.",
        metrics.restore_failures);
  count("kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total",
        "The same, with a change of what was in force.", metrics.partial_restore_failures);
  for (const proxy::Table table : {proxy::Table::Filter, proxy::Table::Nat}) {
    const auto index = static_cast<std::size_t>(table);
    const std::string_view name = proxy::to_text(table);
    scrape.gauge("kubeproxy_sync_proxy_rules_iptables_total", "Rules in force.",
                 static_cast<double>(metrics.rules_in_force[index]), with(family, "table", name));
    scrape.gauge("kubeproxy_sync_proxy_rules_iptables_last", "Rules that the last sync wrote.",
                 static_cast<double>(metrics.rules_last[index]), with(family, "table", name));
    scrape.counter("waypost_proxy_drift_total", "Chains that somebody else had changed.",
                   static_cast<double>(metrics.drift[index]), with(family, "table", name));
  }
  scrape.gauge("kubeproxy_sync_proxy_rules_no_local_endpoints_total",
               "Service ports whose policy is Local, without an endpoint on this node.",
               static_cast<double>(proxy.compiler().counts().without_local_internal),
               with(family, "traffic_policy", "internal"));
  scrape.gauge("kubeproxy_sync_proxy_rules_no_local_endpoints_total", "",
               static_cast<double>(proxy.compiler().counts().without_local_external),
               with(family, "traffic_policy", "external"));
  scrape.histogram("kubeproxy_conntrack_reconciler_sync_duration_seconds",
                   "Walks through the connection table.", metrics.conntrack, labels);
  count("kubeproxy_conntrack_reconciler_deleted_entries_total",
        "Tracked connections that led nowhere and were deleted.", metrics.deleted_flows);
  for (const auto& [stage, histogram] :
       {std::pair{"compile", &metrics.compile}, std::pair{"compare", &metrics.compare},
        std::pair{"restore", &metrics.restore}, std::pair{"commit", &metrics.commit},
        std::pair{"read_back", &metrics.read_back}}) {
    scrape.histogram("waypost_proxy_stage_duration_seconds",
                     "Where the time goes: compile, compare, restore; commit is all of them and "
                     "waiting; read_back comes after.",
                     *histogram, with(family, "stage", stage));
  }
  gauge("waypost_proxy_quarantined_services", "Services without rules because theirs are refused.",
        static_cast<double>(proxy.compiler().quarantined().size()));
  count("waypost_proxy_quarantines_total", "Services whose rules the kernel refused.",
        metrics.quarantines);
  count("waypost_proxy_lock_busy_total", "Attempts that the xtables lock was not free for.",
        metrics.lock_busy);
}

void collect_probes(Scrape& scrape, const ProbeCounts& probes) {
  for (const auto& [status, count] : probes.healthz) {
    scrape.counter("kubeproxy_proxy_healthz_total", "Answers of /healthz.",
                   static_cast<double>(count), {{"code", std::to_string(status)}});
  }
  for (const auto& [status, count] : probes.livez) {
    scrape.counter("kubeproxy_proxy_livez_total", "Answers of /livez.", static_cast<double>(count),
                   {{"code", std::to_string(status)}});
  }
}

void collect_rule_counts(Scrape& scrape, std::span<const FamilyMetrics* const> families) {
  const auto sum = [&](proxy::RuleCounter counter) {
    std::uint64_t total = 0;
    for (const FamilyMetrics* family : families) {
      total += family->rule_counts[static_cast<std::size_t>(counter)].total();
    }
    return total;
  };
  scrape.counter("kubeproxy_iptables_ct_state_invalid_dropped_packets_total",
                 "Packets that were dropped because connection tracking could not place them.",
                 static_cast<double>(sum(proxy::RuleCounter::InvalidDropped)));
  const std::uint64_t entered = sum(proxy::RuleCounter::LocalhostEntered);
  const std::uint64_t left = sum(proxy::RuleCounter::LocalhostLeft);
  scrape.counter("kubeproxy_iptables_localhost_nodeports_accepted_packets_total",
                 "New connections to NodePorts on loopback addresses.",
                 static_cast<double>(entered - std::min(entered, left)));
}

void collect_waiting(Scrape& scrape, bool is_waiting) {
  scrape.gauge("waypost_proxy_waiting_for_node",
               "1 while no rules are written because the node's spec.podCIDRs are not known.",
               is_waiting ? 1 : 0);
}

}  // namespace waypost::ops
