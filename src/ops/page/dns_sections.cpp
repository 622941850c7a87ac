#include "ops/page/dns_sections.h"

#include "dns/types.h"
#include "ops/page/charts.h"
#include "ops/page/table.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

namespace waypost::ops {
namespace {

using resolver::HealthState;

Html count(std::uint64_t value) {
  return Html().number(value);
}

Html rate(double per_second) {
  return Html().number(per_second, per_second < 10 ? 1 : 0);
}

Html age(const std::optional<SteadyTime>& time, SteadyTime now) {
  return escaped(time ? duration_text(std::chrono::duration<double>(now - *time).count()) : "-");
}

// A word with a color that says no more than the word.
Html state(bool is_good, std::string_view word) {
  return Html()
      .markup(is_good ? Markup("<span class=\"good\">") : Markup("<span class=\"bad\">"))
      .text(word)
      .markup("</span>");
}

Html stream_state(const sources::KindStatus& kind) {
  if (kind.is_connected) {
    return state(true, "connected");
  }
  Html html = state(false, kind.is_forbidden ? "forbidden"
                           : kind.is_listed  ? "lost"
                                             : "not listed yet");
  if (!kind.last_error.empty()) {
    html.markup(": ").text(std::string_view(kind.last_error).substr(0, 300));
  }
  return html;
}

Html health(HealthState health) {
  switch (health) {
    case HealthState::Good:
      return state(true, "good");
    case HealthState::Down:
      return state(false, "down");
    case HealthState::Looping:
      return state(false, "leads back here");
  }
  return {};
}

std::string milliseconds(double seconds) {
  return fmt::format("{:.{}f} ms", seconds * 1000, seconds < 0.01 ? 2 : 0);
}

}  // namespace

Html kinds_table(std::span<const sources::KindStatus* const> kinds, SteadyTime now) {
  HtmlTable table("Kinds of objects",
                  {{"Kind"},
                   {"Stream"},
                   {"Last heard of", Align::Number},
                   {"Last change", Align::Number},
                   {"Objects", Align::Number},
                   {"Unusable", Align::Number},
                   {"resourceVersion", Align::Number},
                   {"Lists", Align::Number},
                   {"Failures", Align::Number}},
                  "none are followed");
  for (const sources::KindStatus* kind : kinds) {
    table.row({escaped(kube::to_text(kind->kind)), stream_state(*kind),
               age(kind->last_contact, now), age(kind->last_event, now), count(kind->objects),
               count(kind->quarantined), count(kind->resource_version), count(kind->relists),
               count(kind->failures)});
  }
  return table.finish();
}

Html rates_table(const RateHistory& history) {
  HtmlTable table("Answers by rcode",
                  {{"Rcode"},
                   {"A second, last 10 s", Align::Number},
                   {"A second, last 5 min", Align::Number},
                   {"Last 5 min"},
                   {"Since the start", Align::Number}},
                  "nothing was asked yet");
  std::uint64_t all = 0;
  for (std::size_t rcode = 0; rcode < dns::RcodePlaces; ++rcode) {
    if (history.total(rcode) == 0) {
      continue;
    }
    all += history.total(rcode);
    const std::string name = dns::rcode_place_to_text(rcode);
    table.row({escaped(name), rate(history.mean_rate(rcode, 10)),
               rate(history.mean_rate(rcode, 300)),
               sparkline(history.rates(rcode), name + " answers a second, last five minutes"),
               count(history.total(rcode))});
  }
  if (table.size() > 1) {
    table.row({escaped("all"), rate(history.mean_rate(10)), rate(history.mean_rate(300)),
               sparkline(history.rates(), "All answers a second, last five minutes"), count(all)});
  }
  return table.finish();
}

Html waits_table(const HistogramView& waits, std::string_view title, std::string_view nothing) {
  const std::uint64_t all =
      std::accumulate(waits.counts.begin(), waits.counts.end(), std::uint64_t{0});
  HtmlTable table(title,
                  {{"Took at most"}, {"Answers", Align::Number}, {"Share", Align::Number}, {""}},
                  nothing);
  if (all == 0) {
    return table.finish();
  }
  const std::uint64_t most = *std::ranges::max_element(waits.counts);
  const auto [begin, end] = used_range(waits.counts);
  for (std::size_t i = begin; i < end; ++i) {
    const double bound = std::ldexp(waits.first_bound, static_cast<int>(i));
    const double share = static_cast<double>(waits.counts[i]) / static_cast<double>(all);
    table.row({escaped(i + 1 < waits.counts.size() ? milliseconds(bound)
                                                   : "longer than " + milliseconds(bound / 2)),
               count(waits.counts[i]), Html().number(100 * share, 1).markup(" %"),
               bar(static_cast<double>(waits.counts[i]) / static_cast<double>(most))});
  }
  table.note(
      Html().text("Mean: " + milliseconds(waits.sum_seconds / static_cast<double>(all)) + "."));
  return table.finish();
}

Html latency_table(std::span<const resolver::UpstreamReport> upstreams) {
  resolver::LatencyBuckets sum;
  for (const resolver::UpstreamReport& report : upstreams) {
    sum.add(report.counters.latency());
  }
  return waits_table(sum, "Latency of upstreams", "no upstream has answered yet");
}

Html upstreams_table(std::span<const resolver::UpstreamReport> upstreams) {
  HtmlTable table("Upstreams",
                  {{"Upstream"},
                   {"For"},
                   {"Health"},
                   {"Latency of late", Align::Number},
                   {"Lost of late", Align::Number},
                   {"Under way", Align::Number},
                   {"Questions", Align::Number},
                   {"SERVFAIL", Align::Number},
                   {"Timeouts", Align::Number},
                   {"Failed connections", Align::Number}},
                  "none are configured, or none was asked yet");
  for (const resolver::UpstreamReport& report : upstreams) {
    if (table.size() == MaxUpstreamRows) {
      table.note(Html()
                     .markup("And ")
                     .number(std::uint64_t{upstreams.size() - MaxUpstreamRows})
                     .markup(" more; /metrics has all."));
      break;
    }
    const double latency = std::chrono::duration<double>(report.smoothed_latency).count();
    const resolver::UpstreamCounters& counters = report.counters;
    table.row(
        {escaped(report.upstream), escaped(report.zone), health(report.health),
         escaped(latency == 0 ? "-" : milliseconds(latency)),
         Html().number(100 * report.loss, 1).markup(" %"), count(report.in_flight),
         count(counters.queries), count(counters.rcodes[dns::rcode_place(dns::Rcode::ServFail)]),
         count(counters.timeouts), count(counters.connection_failures + counters.tls_failures)});
  }
  return table.finish();
}

Html problems_table(std::span<const std::string> problems) {
  HtmlTable table("Problems in manifests", {{"What is wrong"}}, "none");
  for (const std::string& problem : problems.first(std::min(problems.size(), MaxProblemRows))) {
    table.row({escaped(std::string_view(problem).substr(0, 500))});
  }
  if (!problems.empty()) {
    table.note(Html().number(std::uint64_t{problems.size()}).markup(" in all."));
  }
  return table.finish();
}

}  // namespace waypost::ops
