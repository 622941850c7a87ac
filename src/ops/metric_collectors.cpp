#include "ops/metric_collectors.h"

#include "base/log.h"
#include "ops/query_metrics.h"

#include <spdlog/fmt/fmt.h>

#include <string>
#include <tuple>
#include <utility>

namespace waypost::ops {
namespace {

using server::Counter;
using server::Counters;

double seconds(std::chrono::duration<double> duration) {
  return duration.count();
}

double to_double(std::uint64_t value) {
  return static_cast<double>(value);
}

}  // namespace

std::string server_label(std::span<const SocketAddress> addresses) {
  const SocketAddress& first = addresses.front();
  if (addresses.size() == 1 && !first.address.is_unspecified()) {
    return "dns://" + first.to_text();
  }
  return fmt::format("dns://:{}", first.port);
}

void collect_build(Scrape& scrape) {
  scrape.gauge("waypost_build_info", "Always 1; the labels say what runs.", 1,
               {{"version", WAYPOST_VERSION}});
}

void collect_plugins(Scrape& scrape, const Config& config, std::string_view server) {
  for (const auto& [name, is_on] :
       {std::pair{"acl", !config.rules.access.empty()},
        std::pair{"autopath", config.completion.is_on},
        std::pair{"cache", config.forward.is_on() && config.forward.cache_size != 0},
        std::pair{"forward", config.forward.is_on()}, std::pair{"hosts", config.hosts.is_on()},
        std::pair{"kubernetes", config.records.is_served},
        std::pair{"log", config.query_log.is_on()},
        std::pair{"rewrite", !config.rules.rewrites.empty()},
        std::pair{"template", !config.rules.templates.empty()}}) {
    if (is_on) {
      scrape.gauge("coredns_plugin_enabled",
                   "Always 1; what there is of CoreDNS' plugins of these names.", 1,
                   {{"server", std::string(server)}, {"zone", "."}, {"name", name}});
    }
  }
}

void collect_reloads(Scrape& scrape, const ReloadStatus& status) {
  scrape.gauge("coredns_reload_version_info",
               "Always 1; a checksum of the configuration that was read last.", 1,
               {{"hash", "xxh3"}, {"value", fmt::format("{:016x}", status.checksum)}});
  scrape.counter("coredns_reload_failed_total",
                 "Times that the configuration was read and was no good.",
                 to_double(status.failures));
}

void collect_process(Scrape& scrape, const ProcessStatus& status) {
  scrape.counter("waypost_log_lines_left_out_total",
                 "Lines of the log that were not written, because too many like them were.",
                 to_double(log::left_out()));
  scrape.counter("process_cpu_seconds_total", "User and system CPU time.", status.cpu_seconds);
  scrape.gauge("process_open_fds", "Open file descriptors.", to_double(status.open_fds));
  scrape.gauge("process_max_fds", "The most file descriptors that may be open.",
               to_double(status.max_fds));
  scrape.gauge("process_resident_memory_bytes", "Resident memory.",
               to_double(status.resident_bytes));
  scrape.gauge("process_virtual_memory_bytes", "Virtual memory.", to_double(status.virtual_bytes));
  scrape.gauge("process_start_time_seconds", "When the process started, since 1970 (UTC).",
               status.start_seconds);
}

void collect_server(Scrape& scrape, std::span<const Counters* const> workers,
                    std::string_view server) {
  scrape.gauge("coredns_build_info", "Always 1; as waypost_build_info.", 1,
               {{"version", "waypost-" WAYPOST_VERSION}});
  collect_queries(scrape, workers, server);
  scrape.counter("coredns_shed_dropped_total",
                 "Queries that were dropped because a socket's buffer was full.",
                 to_double(sum(workers, &Counters::receive_drops)),
                 {{"server", std::string(server)}, {"reason", "query"}});
  for (const auto& [name, help, counter] :
       {std::tuple{"coredns_acl_allowed_requests_total", "Queries that a rule allowed.",
                   &Counters::access_allowed},
        std::tuple{"coredns_acl_blocked_requests_total", "Queries that a rule blocked.",
                   &Counters::access_blocked},
        std::tuple{"coredns_acl_dropped_requests_total", "Queries that a rule dropped.",
                   &Counters::access_dropped},
        std::tuple{"coredns_acl_filtered_requests_total", "Queries that a rule filtered.",
                   &Counters::access_filtered}}) {
    scrape.counter(name, help, to_double(sum(workers, counter)),
                   {{"server", std::string(server)}, {"zone", "."}});
  }

  scrape.counter("waypost_cache_hits_total", "Queries answered from the cache.",
                 to_double(sum(workers, &Counters::cache_hits)));
  struct Row {
    const char* name;
    const char* help;
    Counter Counters::* counter;
  };
  for (const Row& row : {
           Row{"waypost_dns_dropped_total",
               "Messages without an answer: too short, too long, or answers themselves.",
               &Counters::dropped},
           Row{"waypost_dns_receive_drops_total",
               "UDP datagrams that the kernel dropped because a socket's buffer was full.",
               &Counters::receive_drops},
           Row{"waypost_dns_truncated_total", "Answers with the TC bit.", &Counters::truncated},
           Row{"waypost_dns_send_failures_total",
               "Answers that the kernel or the client did not take.", &Counters::send_failures},
           Row{"waypost_dns_tcp_connections_total", "TCP connections accepted and served.",
               &Counters::tcp_connections},
           Row{"waypost_dns_tcp_refused_total",
               "TCP connections closed at once, above maxTcpConnections.", &Counters::tcp_refused},
           Row{"waypost_dns_tcp_timeouts_total",
               "TCP connections closed for idling, or for being too slow.",
               &Counters::tcp_timeouts},
           Row{"waypost_cache_misses_total", "Queries that the cache had no fresh answer for.",
               &Counters::cache_misses},
           Row{"waypost_forward_queue_refused_total",
               "Queries that failed because the queue to the resolver was full.",
               &Counters::handover_refused},
           Row{"waypost_forward_abandoned_total", "Answers whose client had closed its connection.",
               &Counters::abandoned},
           Row{"waypost_dns_transfers_total", "Zone transfers begun.", &Counters::transfers},
           Row{"waypost_rewrites_total", "Queries whose name was looked up as another one.",
               &Counters::rewrites},
           Row{"waypost_rewrite_failures_total",
               "Queries that failed because a rule could not make another name of theirs.",
               &Counters::rewrite_failures},
           Row{"waypost_hosts_answers_total", "Queries answered from hosts and hostsFiles.",
               &Counters::hosts_answers},
           Row{"waypost_template_answers_total", "Queries answered by a template.",
               &Counters::template_answers},
           Row{"waypost_template_failures_total",
               "Queries that failed because a template made no record.",
               &Counters::template_failures},
           Row{"waypost_families_filtered_total",
               "Queries for addresses of a family that nobody here can use.",
               &Counters::families_filtered},
           Row{"waypost_rate_limited_total", "Queries above the limit of their client.",
               &Counters::rate_limited},
           Row{"waypost_rate_evictions_total",
               "Clients that begin anew because others had to be kept in mind.",
               &Counters::buckets_evicted},
       }) {
    scrape.counter(row.name, row.help, to_double(sum(workers, row.counter)));
  }
}

void collect_searches(Scrape& scrape, std::span<const Counters* const> workers,
                      const search::PodDirectory& pods, std::string_view server) {
  using enum server::SearchOutcome;
  const auto count = [&](server::SearchOutcome outcome) {
    std::uint64_t total = 0;
    for (const Counters* worker : workers) {
      total += worker->searches[std::to_underlying(outcome)].value();
    }
    return to_double(total);
  };
  for (const auto& [outcome, with] :
       {std::pair{InCluster, "cluster"}, std::pair{InHostDomain, "host"},
        std::pair{AsGiven, "none"}}) {
    scrape.counter("waypost_search_completed_total",
                   "Queries of Pods answered with a later name of their search walk.",
                   count(outcome), {{"domain", with}});
  }
  for (const auto& [outcome, reason] :
       {std::pair{UnknownAddress, "unknown_address"}, std::pair{HostNetwork, "host_network"},
        std::pair{SharedAddress, "shared_address"}, std::pair{OtherNamespace, "other_namespace"},
        std::pair{OtherList, "other_list"}, std::pair{Dotted, "ndots"}}) {
    scrape.counter("waypost_search_refused_total",
                   "Queries for names of the cluster that do not exist, not looked for further.",
                   count(outcome), {{"reason", reason}});
  }
  scrape.counter("waypost_search_nowhere_total",
                 "Queries of Pods whose walk leads to no name with addresses.", count(Nowhere));
  scrape.counter("waypost_search_failed_total",
                 "Queries of Pods that failed because another server did.", count(Failed));
  scrape.counter("coredns_autopath_success_total", "As waypost_search_completed_total, together.",
                 count(InCluster) + count(InHostDomain) + count(AsGiven),
                 {{"server", std::string(server)}});
  scrape.gauge("waypost_search_addresses", "Addresses of Pods that are known, all of them.",
               to_double(pods.address_count()));
  scrape.gauge("waypost_search_lists", "Search lists of Pods, each once.",
               to_double(pods.list_count()));
}

void collect_world(Scrape& scrape, const cache::ServiceCache& cache) {
  const cache::ServiceCache::Counts& counts = cache.counts();
  for (const auto& [kind, count] :
       {std::pair{"service", counts.services}, std::pair{"endpointslice", counts.slices},
        std::pair{"namespace", counts.namespaces}, std::pair{"pod", counts.pods},
        std::pair{"node", counts.nodes}}) {
    scrape.gauge("waypost_objects", "Kubernetes objects at hand.", to_double(count),
                 {{"kind", kind}});
  }
  scrape.gauge("waypost_endpoints", "Addresses in EndpointSlices.", to_double(counts.endpoints));
  scrape.gauge("waypost_synced", "1 once all objects were seen that existed at the start.",
               cache.is_synced() ? 1 : 0);
}

void collect_http(Scrape& scrape, const HttpCounters& counters) {
  for (const auto& [status, replies] : counters.replies) {
    scrape.counter("waypost_http_replies_total", "Replies to probes and scrapes.",
                   to_double(replies), {{"code", std::to_string(status)}});
  }
  scrape.counter("waypost_http_refused_total",
                 "Connections of probes and scrapes closed at once, above their bound.",
                 to_double(counters.refused));
  scrape.counter("waypost_http_timeouts_total",
                 "Connections of probes and scrapes closed for idling, or for being too slow.",
                 to_double(counters.timeouts));
}

void collect_snapshot(Scrape& scrape, const SnapshotStatus& status,
                      std::chrono::system_clock::time_point now) {
  if (status.created) {
    scrape.gauge("waypost_snapshot_age_seconds", "Since the snapshot in place was made.",
                 seconds(now - *status.created));
    scrape.gauge("waypost_snapshot_size_bytes", "Size of the snapshot in place.",
                 to_double(status.bytes));
  }
  scrape.gauge("waypost_snapshot_duration_seconds", "How long the last snapshot took to save.",
               seconds(status.took));
  scrape.counter("waypost_snapshot_saves_total", "Snapshots saved.", to_double(status.saves));
  scrape.counter("waypost_snapshot_failures_total",
                 "Snapshots that could not be saved; the one before stays.",
                 to_double(status.failures));
  scrape.counter("waypost_snapshot_left_out_total", "Objects that were too large for a snapshot.",
                 to_double(status.left_out));
}

void collect_takeover(Scrape& scrape, const TakeoverCounts& counts, std::uint64_t failed) {
  const auto count = [&](std::string_view why, std::string_view help, std::uint64_t value) {
    scrape.counter("waypost_takeover_failures_total", help, to_double(value),
                   {{"reason", std::string(why)}});
  };
  count("refused", "Processes that did not take over from this one.", counts.refused);
  count("abandoned", "", counts.abandoned);
  count("successor", "", failed);
}

void collect_api_requests(Scrape& scrape, const kube::ApiRequests& requests) {
  for (const auto& [status, count] : requests.by_status()) {
    std::string code = std::to_string(status);
    if (status == kube::ApiRequests::NoResponse) {
      code = "<error>";  // As client-go says it.
    } else if (status == kube::ApiRequests::OtherStatus) {
      code = "other";
    }
    scrape.counter("coredns_kubernetes_rest_client_requests_total", "Requests to the API server.",
                   to_double(count),
                   {{"code", std::move(code)}, {"method", "GET"}, {"host", requests.host()}});
  }
  scrape.histogram(
      "coredns_kubernetes_rest_client_request_duration_seconds",
      "Until the head of the API server's response was there.",
      BoundedHistogramView{requests.durations(), kube::ApiRequests::Bounds, requests.sum_seconds()},
      {{"verb", "GET"}, {"host", requests.host()}});
}

void collect_source(Scrape& scrape, std::span<const sources::KindStatus* const> kinds,
                    SteadyTime now) {
  for (const sources::KindStatus* kind : kinds) {
    const MetricLabels labels{{"kind", std::string(kube::to_text(kind->kind))}};
    const auto count = [&](std::string_view name, std::string_view help, std::uint64_t value) {
      scrape.counter(name, help, to_double(value), labels);
    };
    const auto age = [&](std::string_view name, std::string_view help,
                         const std::optional<SteadyTime>& time) {
      if (time) {
        scrape.gauge(name, help, seconds(now - *time), labels);
      }
    };
    age("waypost_api_contact_age_seconds", "Since the stream of changes last showed that it lives.",
        kind->last_contact);
    age("waypost_api_event_age_seconds", "Since the last change of an object.", kind->last_event);
    age("waypost_api_bookmark_age_seconds", "Since the last bookmark.", kind->last_bookmark);
    scrape.gauge("waypost_api_lag_seconds",
                 "How much later than a list the stream told of the same change.",
                 seconds(kind->lag), labels);
    scrape.gauge("waypost_api_connected", "1 while a stream of changes is open.",
                 kind->is_connected ? 1 : 0, labels);
    scrape.gauge("waypost_api_forbidden", "1 while the right to read the kind is missing.",
                 kind->is_forbidden ? 1 : 0, labels);
    scrape.gauge("waypost_api_resource_version", "Up to which everything is known.",
                 to_double(kind->resource_version), labels);
    scrape.gauge("waypost_api_objects", "Objects that the server has, as far as told.",
                 to_double(kind->objects), labels);
    scrape.gauge("waypost_api_quarantined_objects", "Objects that cannot be used.",
                 to_double(kind->quarantined), labels);
    count("waypost_api_events_total", "Changes of objects.", kind->events);
    count("waypost_api_bookmarks_total", "Bookmarks.", kind->bookmarks);
    count("waypost_api_relists_total", "Complete lists.", kind->relists);
    count("waypost_api_watches_total", "Streams of changes that were opened.", kind->watches);
    count("waypost_api_failures_total", "Requests that failed and streams that broke.",
          kind->failures);
    count("waypost_api_stalls_total", "Streams given up because nothing came.", kind->stalls);
    count("waypost_api_expired_total", "Requests for a history that is gone (410).", kind->expired);
    count("waypost_api_decode_errors_total", "Objects that came and could not be used.",
          kind->decode_errors);
    count("waypost_api_audits_total", "Comparisons with the server that came to a verdict.",
          kind->audits);
    count("waypost_api_audit_mismatches_total", "Comparisons that found a difference.",
          kind->audit_mismatches);
  }
}

}  // namespace waypost::ops
