#include "ops/query_metrics.h"

#include "dns/types.h"

#include <array>
#include <cstdint>
#include <string>
#include <utility>

namespace waypost::ops {
namespace {

using server::Counters;
using Workers = std::span<const Counters* const>;

double to_double(std::uint64_t value) {
  return static_cast<double>(value);
}

// The sums of an array of counters that `of` finds in each worker's.
template <typename Of>
auto sums(Workers workers, Of&& of) {
  std::array<std::uint64_t, std::tuple_size_v<std::remove_cvref_t<decltype(of(*workers[0]))>>>
      all{};
  for (const Counters* const worker : workers) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] += of(*worker)[i].value();
    }
  }
  return all;
}

class Labels {
 public:
  explicit Labels(std::string_view server) : server_(server) {}

  // One zone stands for all: no query is counted by the zone that owns its name.
  template <typename... More>
  MetricLabels with(More&&... more) const {
    return {{"server", server_}, {"zone", "."}, std::forward<More>(more)...};
  }

 private:
  std::string server_;
};

using Label = std::pair<std::string_view, std::string>;

void collect_types(Scrape& scrape, Workers workers, const Labels& labels) {
  struct Way {
    server::Transport transport;
    bool is_v4;
    const char* protocol;
    const char* family;  // As in CoreDNS' label.
  };
  using enum server::Transport;
  for (const Way& way : {Way{Udp, true, "udp", "1"}, Way{Udp, false, "udp", "2"},
                         Way{Tcp, true, "tcp", "1"}, Way{Tcp, false, "tcp", "2"}}) {
    const auto counts = sums(workers, [&](const Counters& worker) -> const auto& {
      return worker.queries.of(way.transport, way.is_v4);
    });
    for (std::size_t type = 0; type < counts.size(); ++type) {
      // Addresses over IPv4 are there from the beginning, for rates.
      if (counts[type] != 0 || (way.is_v4 && type < 2)) {
        scrape.counter("coredns_dns_requests_total", "Messages received.", to_double(counts[type]),
                       labels.with(Label("proto", way.protocol), Label("family", way.family),
                                   Label("type", type == server::OtherType
                                                     ? "other"
                                                     : dns::to_text(server::CountedTypes[type]))));
      }
    }
  }
}

void collect_rcodes(Scrape& scrape, Workers workers, const Labels& labels) {
  const auto counts =
      sums(workers, [](const Counters& worker) -> const auto& { return worker.rcodes; });
  for (std::size_t i = 0; i < counts.size(); ++i) {
    // Those that rates and alerts divide by are there from the beginning.
    const bool always = i == dns::rcode_place(dns::Rcode::NoError) ||
                        i == dns::rcode_place(dns::Rcode::NxDomain) ||
                        i == dns::rcode_place(dns::Rcode::ServFail);
    if (counts[i] != 0 || always) {
      scrape.counter("coredns_dns_responses_total", "Answers sent.", to_double(counts[i]),
                     labels.with(Label("rcode", dns::rcode_place_to_text(i))));
    }
  }
}

void collect_sizes(Scrape& scrape, Workers workers, const Labels& labels, std::string_view name,
                   std::string_view help,
                   std::array<server::SizeCounts, 2> Counters::* const sizes) {
  for (const auto& [transport, protocol] :
       {std::pair{server::Transport::Udp, "udp"}, std::pair{server::Transport::Tcp, "tcp"}}) {
    const auto place = static_cast<std::size_t>(transport);
    const auto counts = sums(workers, [&](const Counters& worker) -> const auto& {
      return (worker.*sizes)[place].buckets();
    });
    std::uint64_t octets = 0;
    for (const Counters* const worker : workers) {
      octets += (worker->*sizes)[place].octets();
    }
    scrape.histogram(name, help, SizeHistogramView{counts, server::SizeBounds, octets},
                     labels.with(Label("proto", protocol)));
  }
}

}  // namespace

QueryDurations sum_durations(Workers workers) {
  QueryDurations all{.counts = sums(workers, [](const Counters& worker) -> const auto& {
                       return worker.durations.buckets();
                     })};
  for (const Counters* const worker : workers) {
    all.sum_seconds += to_double(worker->durations.microseconds()) / 1e6;
  }
  return all;
}

void collect_queries(Scrape& scrape, Workers workers, std::string_view server) {
  const Labels labels(server);
  collect_types(scrape, workers, labels);
  collect_rcodes(scrape, workers, labels);
  scrape.counter("coredns_dns_do_requests_total", "Queries with the DO bit.",
                 to_double(sum(workers, &Counters::dnssec_ok)), labels.with());
  collect_sizes(scrape, workers, labels, "coredns_dns_request_size_bytes",
                "How large queries were.", &Counters::query_sizes);
  collect_sizes(scrape, workers, labels, "coredns_dns_response_size_bytes",
                "How large answers were.", &Counters::response_sizes);
  const QueryDurations durations = sum_durations(workers);
  scrape.histogram("coredns_dns_request_duration_seconds",
                   "From receiving a query to sending its answer.", durations.view(),
                   labels.with());
}

}  // namespace waypost::ops
