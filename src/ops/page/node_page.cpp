#include "ops/page/node_page.h"

#include "ops/page/charts.h"
#include "ops/page/dns_sections.h"
#include "ops/page/service_pages.h"
#include "ops/page/service_rules.h"
#include "ops/page/table.h"
#include "ops/process_status.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;

constexpr std::size_t MaxQuarantined = 20;

double unix_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Html summary(const NodePageFacts& facts) {
  const ProcessStatus process = read_process_status();
  FactTable table("The program");
  table.row("Node", facts.node);
  table.row("Services from", facts.source);
  table.row("Backend", proxy::to_text(facts.backend));
  table.row("Healthy", facts.is_healthy ? "yes" : "no: changes wait to get into the kernel");
  table.row("First rules in force", facts.is_in_force ? "yes" : "not yet");
  table.row("Runs for", duration_text(unix_now() - process.start_seconds));
  table.row("Resident memory", size_text(process.resident_bytes));
  return table.finish();
}

Html known(const cache::ServiceCache& cache) {
  const cache::ServiceCache::Counts& counts = cache.counts();
  FactTable table("The world");
  table.row("Synced", cache.is_synced() ? "yes" : "not yet");
  table.row("Services", counts.services);
  table.row("EndpointSlices", counts.slices);
  table.row("Endpoints", counts.endpoints);
  table.row("Nodes", counts.nodes);
  return table.finish();
}

Html rules_in_force(const NodePageFacts& facts) {
  HtmlTable table("Rules in force",
                  {{"Family"},
                   {"filter rules", Align::Number},
                   {"nat rules", Align::Number},
                   {"Last in force", Align::Number},
                   {"Waiting changes", Align::Number},
                   {"Refused", Align::Number},
                   {"Drifted chains", Align::Number},
                   {"Quarantined", Align::Number}},
                  "there are none");
  for (const NodePageFamily& family : facts.families) {
    const FamilyMetrics& metrics = *family.metrics;
    const proxy::RuleSet& chains = family.proxy->applier().committed().chains;
    const auto number = [](std::uint64_t value) { return Html().number(value); };
    table.row(
        {escaped(family.label), number(chains.rule_count(proxy::Table::Filter)),
         number(chains.rule_count(proxy::Table::Nat)),
         escaped(metrics.last_sync_time == 0
                     ? "not yet"
                     : duration_text(unix_now() - metrics.last_sync_time) + " ago"),
         number(family.proxy->pending_service_changes() + family.proxy->pending_endpoint_changes()),
         number(metrics.restore_failures + metrics.partial_restore_failures),
         number(metrics.drift[0] + metrics.drift[1]),
         number(family.proxy->compiler().quarantined().size())});
  }
  return table.finish();
}

Html quarantined(const NodePageFacts& facts) {
  HtmlTable table("Services without rules", {{"Service"}, {"Family"}, {"Why"}}, "there are none");
  for (const NodePageFamily& family : facts.families) {
    for (const auto& [key, reason] : family.proxy->compiler().quarantined()) {
      if (table.size() == MaxQuarantined) {
        table.note(escaped("There are more."));
        return table.finish();
      }
      table.row({service_link(key), escaped(family.label),
                 escaped(std::string_view(reason).substr(0, 500))});
    }
  }
  return table.finish();
}

// What a histogram of ops/histogram.h has, from the first to the last bucket with anything in it.
Html durations(std::string_view caption, const NodePageFacts& facts,
               Histogram FamilyMetrics::* which) {
  Histogram sum;
  for (const NodePageFamily& family : facts.families) {
    sum.add(family.metrics->*which);
  }
  const std::span<const std::uint64_t> counts = sum.counts();
  HtmlTable table(caption, {{"Took at most"}, {"Times", Align::Number}, {""}}, "none yet");
  const auto most = static_cast<double>(*std::ranges::max_element(counts));
  const auto text = [](double bound) {
    return bound < 1 ? fmt::format("{:.2f} ms", bound * 1000) : fmt::format("{:.1f} s", bound);
  };
  const auto [begin, end] = used_range(counts);
  for (std::size_t i = begin; i < end; ++i) {
    const double bound = std::ldexp(Histogram::FirstBound, static_cast<int>(i));
    table.row({escaped(i < Histogram::BucketCount ? text(bound) : "longer than " + text(bound / 2)),
               Html().number(counts[i]), bar(static_cast<double>(counts[i]) / most)});
  }
  return table.finish();
}

Html source(const NodePageFacts& facts) {
  return facts.kinds.empty() ? problems_table(facts.problems)
                             : kinds_table(facts.kinds, std::chrono::steady_clock::now());
}

}  // namespace

PageServer::Pages NodePage::pages() {
  return {.overview = [this](const PageQuery&) -> asio::awaitable<PageContent> {
            co_return overview();
          },
          .services = [this](const PageQuery& query) -> asio::awaitable<PageContent> {
            co_return services(query);
          },
          .service = [this](const PageQuery& query) { return service(query); }};
}

PageContent NodePage::overview() const {
  const NodePageFacts facts = parts_.facts();
  return {
      .title = "Status",
      .html = fill("node.html", {{"search", service_form("")},
                                 {"summary", summary(facts)},
                                 {"known", known(parts_.cache)},
                                 {"rules", rules_in_force(facts)},
                                 {"quarantined", quarantined(facts)},
                                 {"syncs", durations("Bringing changes into the kernel", facts,
                                                     &FamilyMetrics::sync)},
                                 {"programming", durations("From an endpoint's change to its rules",
                                                           facts, &FamilyMetrics::programming)},
                                 {"source", source(facts)}})};
}

PageContent NodePage::services(const PageQuery& query) const {
  // Nodes know no cluster domain; what is looked for may end with any part of the usual one.
  static const dns::Name Zone = *dns::Name::from_text("cluster.local.");
  return {.title = "Services", .html = service_list(parts_.cache, Zone, query, nullptr)};
}

asio::awaitable<PageContent> NodePage::service(const PageQuery& query) {
  const kube::ObjectKey key = service_key(query);
  const auto state = parts_.cache.find(key);
  if (!state) {
    co_return no_such_service(key);
  }
  // The state is good until something waits.
  Html html = service_facts(key, *state);
  const NodePageFacts facts = parts_.facts();
  std::vector<ServiceRules> wanted;
  for (const NodePageFamily& family : facts.families) {
    wanted.push_back(wanted_rules(family.proxy->compiler(), key));
    const auto& refused = family.proxy->compiler().quarantined();
    if (const auto found = refused.find(key); found != refused.end()) {
      html.markup("<p class=\"bad\">It has no ").text(family.label).markup(" rules: ");
      html.text(std::string_view(found->second).substr(0, 500)).markup("</p>\n");
    }
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    std::string problem = "another page is being made";
    if (!is_counting_) {
      is_counting_ = true;
      proxy::Iptables tables(facts.backend, facts.families[i].family);
      const Result<void> counted = co_await count_rules(tables, wanted[i]);
      is_counting_ = false;
      problem = counted ? "" : counted.error().message;
    }
    html.add(rules_table(facts.families[i].label, wanted[i], problem));
  }
  co_return PageContent{.title = key.to_text(), .html = std::move(html)};
}

}  // namespace waypost::ops
