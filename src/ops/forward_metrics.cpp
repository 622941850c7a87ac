#include "ops/forward_metrics.h"

#include "dns/types.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace waypost::ops {
namespace {

using resolver::HealthState;
using resolver::LatencyBuckets;
using resolver::ResolverCounters;
using resolver::UpstreamCounters;
using resolver::UpstreamReport;

double number(std::uint64_t value) {
  return static_cast<double>(value);
}

// Adds what collect_as_coredns() tells.
void add(UpstreamCounters& sum, const UpstreamCounters& more) {
  sum.queries += more.queries;
  sum.failed_probes += more.failed_probes;
  for (std::size_t i = 0; i < sum.rcodes.size(); ++i) {
    sum.rcodes[i] += more.rcodes[i];
  }
  for (const auto& [place, buckets] : more.latencies) {
    sum.latencies[place].add(buckets);
  }
}

// What rates and alerts divide is there from the beginning, so that its first increase is seen.
bool is_always_told(std::size_t place) noexcept {
  return place == dns::rcode_place(dns::Rcode::NoError) ||
         place == dns::rcode_place(dns::Rcode::ServFail);
}

void collect_answers(Scrape& scrape, const std::string& upstream,
                     const UpstreamCounters& counters) {
  for (std::size_t place = 0; place < counters.rcodes.size(); ++place) {
    const auto found = counters.latencies.find(place);
    const bool has_latency = found != counters.latencies.end();
    if (counters.rcodes[place] == 0 && !has_latency && !is_always_told(place)) {
      continue;
    }
    const MetricLabels labels{{"to", upstream}, {"rcode", dns::rcode_place_to_text(place)}};
    scrape.counter("coredns_forward_responses_total", "Answers of an upstream.",
                   number(counters.rcodes[place]), labels);
    if (!has_latency && !is_always_told(place)) {
      continue;  // Probes alone were answered so.
    }
    const LatencyBuckets latency = has_latency ? found->second : LatencyBuckets();
    scrape.histogram("coredns_forward_request_duration_seconds",
                     "How long an upstream took to answer.", latency, labels);
    scrape.histogram(
        "coredns_proxy_request_duration_seconds", "How long an upstream took to answer.", latency,
        {{"proxy_name", "forward"}, {"to", upstream}, {"rcode", dns::rcode_place_to_text(place)}});
  }
}

// The names that dashboards made for CoreDNS look for.
void collect_as_coredns(Scrape& scrape, const std::string& upstream,
                        const UpstreamCounters& counters) {
  const MetricLabels to{{"to", upstream}};
  const MetricLabels proxy{{"proxy_name", "forward"}, {"to", upstream}};
  scrape.counter("coredns_forward_requests_total", "Questions that an upstream was asked.",
                 number(counters.queries), to);
  collect_answers(scrape, upstream, counters);
  scrape.counter("coredns_forward_healthcheck_failures_total",
                 "Questions to see whether an upstream is good again, in vain.",
                 number(counters.failed_probes), to);
  scrape.counter("coredns_proxy_healthcheck_failures_total",
                 "Questions to see whether an upstream is good again, in vain.",
                 number(counters.failed_probes), proxy);
}

struct Connections {
  std::uint64_t made = 0;
  std::uint64_t reused = 0;
};

void collect_connections(Scrape& scrape, const std::string& upstream, const std::string& protocol,
                         const Connections& connections) {
  const MetricLabels labels{{"proxy_name", "forward"}, {"to", upstream}, {"proto", protocol}};
  scrape.counter("coredns_proxy_conn_cache_hits_total",
                 "Questions that went out on a connection that was there.",
                 number(connections.reused), labels);
  scrape.counter("coredns_proxy_conn_cache_misses_total",
                 "Questions that a connection had to be made for.", number(connections.made),
                 labels);
}

void collect_upstream(Scrape& scrape, const UpstreamReport& report) {
  const MetricLabels labels{{"zone", report.zone}, {"upstream", report.upstream}};
  scrape.gauge("waypost_upstream_up", "1 while the upstream is good, 0 while others are preferred.",
               report.health == HealthState::Good ? 1 : 0, labels);
  scrape.gauge("waypost_upstream_looping",
               "1 while the upstream sends our questions back here, and is not asked.",
               report.health == HealthState::Looping ? 1 : 0, labels);
  scrape.gauge("waypost_upstream_latency_seconds",
               "How long answers take of late; 0 while unknown.",
               std::chrono::duration<double>(report.smoothed_latency).count(), labels);
  scrape.gauge("waypost_upstream_loss_ratio", "Which part of questions is lost of late, 0 to 1.",
               report.loss, labels);
  scrape.gauge("waypost_upstream_in_flight", "Questions that the upstream is being asked.",
               number(report.in_flight), labels);
  struct Row {
    const char* name;
    const char* help;
    std::uint64_t UpstreamCounters::* counter;
  };
  for (const Row& row : {
           Row{"waypost_upstream_timeouts_total", "Questions without an answer in time.",
               &UpstreamCounters::timeouts},
           Row{"waypost_upstream_mismatches_total",
               "Messages that were no answer to the question, or could not be read.",
               &UpstreamCounters::mismatches},
           Row{"waypost_upstream_truncated_total",
               "Answers that were asked for again over TCP because they were truncated.",
               &UpstreamCounters::truncated},
           Row{"waypost_upstream_lame_total", "Referrals, where an answer was wanted.",
               &UpstreamCounters::lame},
           Row{"waypost_upstream_connections_total", "Connections made, over TCP or TLS.",
               &UpstreamCounters::connections},
           Row{"waypost_upstream_connection_failures_total",
               "Connections that were refused or broke, and hosts that could not be reached.",
               &UpstreamCounters::connection_failures},
           Row{"waypost_upstream_tls_failures_total",
               "Connections that failed because of TLS, a certificate that is not believed say.",
               &UpstreamCounters::tls_failures},
           Row{"waypost_upstream_hedges_total",
               "Questions that the upstream was asked because another one was late.",
               &UpstreamCounters::hedges},
           Row{"waypost_upstream_hedge_wins_total", "Of these, those that it answered first.",
               &UpstreamCounters::hedge_wins},
           Row{"waypost_upstream_overloads_total",
               "Questions that did not fit into the bounds on questions, connections or sockets.",
               &UpstreamCounters::overloads},
       }) {
    scrape.counter(row.name, row.help, number(report.counters.*row.counter), labels);
  }
}

}  // namespace

void collect_resolver(Scrape& scrape, const resolver::AnswerCache& cache,
                      const ResolverCounters& counters) {
  scrape.gauge("waypost_cache_entries", "Answers in the cache.", number(cache.entries()));
  scrape.gauge("waypost_cache_bytes", "What the cache has allocated.", number(cache.bytes()));
  scrape.counter("waypost_cache_evictions_total", "Answers that had to make room for others.",
                 number(cache.evictions()));
  scrape.gauge("waypost_forward_in_flight", "Questions that upstreams are being asked.",
               number(counters.in_flight()));
  struct Row {
    const char* name;
    const char* help;
    const Counter& counter;
  };
  for (const Row& row : {
           Row{"waypost_forward_questions_total", "Questions that upstreams were asked.",
               counters.started},
           Row{"waypost_forward_failures_total", "Questions that no upstream answered.",
               counters.failed},
           Row{"waypost_forward_coalesced_total",
               "Queries that waited for a question that was under way.", counters.coalesced},
           Row{"waypost_forward_overloaded_total",
               "Queries that were refused because too many questions were under way.",
               counters.overloaded},
           Row{"waypost_forward_remembered_failures_total",
               "Queries that failed at once, because the question had failed a moment before.",
               counters.remembered},
           Row{"waypost_forward_nobody_total",
               "Queries that nobody could be asked about, and questions of our own that came back.",
               counters.refused},
           Row{"waypost_cache_served_stale_total", "Queries that got an expired answer.",
               counters.stale},
           Row{"waypost_cache_prefetches_total",
               "Popular answers that were asked for again before they expired.",
               counters.prefetches},
       }) {
    scrape.counter(row.name, row.help, number(row.counter.value()));
  }
  scrape.counter("coredns_forward_max_concurrent_rejects_total",
                 "Queries that were refused because too many questions were under way.",
                 number(counters.overloaded.value()));
}

void collect_cache(Scrape& scrape, const resolver::AnswerCache& cache,
                   const ResolverCounters& counters,
                   std::span<const server::Counters* const> workers, std::string_view server) {
  const MetricLabels labels{{"server", std::string(server)}, {"zones", "."}};
  const std::uint64_t successes = sum(workers, &server::Counters::cache_successes);
  const std::uint64_t denials = sum(workers, &server::Counters::cache_denials);
  const std::uint64_t hits = successes + denials;
  const std::uint64_t misses = sum(workers, &server::Counters::cache_misses);
  // Both are read while the resolver's thread changes them.
  const std::uint64_t denying = cache.denials();
  const std::uint64_t entries = std::max(cache.entries(), denying);
  struct Kind {
    const char* type;
    std::uint64_t entries;
    std::uint64_t hits;
    std::uint64_t evictions;
  };
  for (const Kind& kind : {Kind{"success", entries - denying, successes, cache.success_evictions()},
                           Kind{"denial", denying, denials, cache.denial_evictions()}}) {
    const MetricLabels with_type{
        {"server", std::string(server)}, {"type", kind.type}, {"zones", "."}};
    scrape.gauge("coredns_cache_entries", "Answers in the cache.", number(kind.entries), with_type);
    scrape.counter("coredns_cache_hits_total", "Queries answered from the cache.",
                   number(kind.hits), with_type);
    scrape.counter("coredns_cache_evictions_total", "Answers that had to make room for others.",
                   number(kind.evictions), with_type);
  }
  struct Row {
    const char* name;
    const char* help;
    std::uint64_t value;
  };
  for (const Row& row : {
           Row{"coredns_cache_requests_total", "Queries that the cache was looked up for.",
               hits + misses},
           Row{"coredns_cache_misses_total", "Queries that the cache had no fresh answer for.",
               misses},
           Row{"coredns_cache_prefetch_total",
               "Popular answers that were asked for again before they expired.",
               counters.prefetches.value()},
           Row{"coredns_cache_served_stale_total", "Queries that got an expired answer.",
               counters.stale.value()},
       }) {
    scrape.counter(row.name, row.help, number(row.value), labels);
  }
}

void collect_upstreams(Scrape& scrape, std::span<const UpstreamReport> upstreams,
                       std::uint64_t without_good) {
  scrape.counter("coredns_forward_healthcheck_broken_total",
                 "Questions that were asked although every upstream for them was down.",
                 number(without_good));
  // CoreDNS' names tell neither zones nor, but for connections, transports of an address apart.
  std::map<std::string, UpstreamCounters> by_address;
  std::map<std::pair<std::string, std::string>, Connections> by_protocol;
  for (const UpstreamReport& report : upstreams) {
    collect_upstream(scrape, report);
    add(by_address[report.socket], report.counters);
    const bool has_tls = report.transport == resolver::Transport::Tls;
    Connections& sum = by_protocol[{report.socket, has_tls ? "tcp-tls" : "tcp"}];
    sum.made += report.counters.connections;
    sum.reused += report.counters.reuses;
  }
  for (const auto& [upstream, sum] : by_address) {
    collect_as_coredns(scrape, upstream, sum);
  }
  for (const auto& [place, sum] : by_protocol) {
    collect_connections(scrape, place.first, place.second, sum);
  }
}

}  // namespace waypost::ops
