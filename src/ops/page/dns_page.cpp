#include "ops/page/dns_page.h"

#include "ops/page/dns_sections.h"
#include "ops/page/service_pages.h"
#include "ops/page/table.h"
#include "ops/process_status.h"
#include "ops/query_metrics.h"
#include "ops/trial.h"

#include <algorithm>
#include <utility>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;

}  // namespace

DnsPage::DnsPage(DnsPageParts parts) : parts_(std::move(parts)) {
  sample();
}

void DnsPage::sample() {
  const SteadyTime now = std::chrono::steady_clock::now();
  history_.sample(now, parts_.counters());
  if (parts_.samples) {
    const std::uint64_t missed =
        parts_.samples([this](const server::QuerySample& sample) { tops_.note(sample); });
    tops_.advance(now, missed);
  }
}

Html DnsPage::tops() const {
  return parts_.samples ? tops_.tables(std::chrono::steady_clock::now())
                        : Html().markup("<p>Switched off by <code>statusTops</code>.</p>\n");
}

PageServer::Pages DnsPage::pages() {
  return {.overview = [this](const PageQuery&) -> asio::awaitable<PageContent> {
            co_return overview();
          },
          .services = [this](const PageQuery& query) -> asio::awaitable<PageContent> {
            co_return services(query);
          },
          .service = [this](const PageQuery& query) -> asio::awaitable<PageContent> {
            co_return service(query);
          }};
}

PageContent DnsPage::overview() {
  const DnsPageFacts facts = parts_.facts();
  const std::vector<resolver::UpstreamReport>& upstreams = parts_.forwarding.upstreams();
  const QueryDurations waits = sum_durations(parts_.counters());
  return {.title = "Status",
          .html = fill("dns.html", {{"summary", summary(facts)},
                                    {"known", known(facts)},
                                    {"source", source(facts)},
                                    {"rates", rates_table(history_)},
                                    {"waits", waits_table(waits.view(), "How long clients waited",
                                                          "nothing was asked yet")},
                                    {"tops", tops()},
                                    {"latency", latency_table(upstreams)},
                                    {"upstreams", upstreams_table(upstreams)},
                                    {"cache", cache()},
                                    {"search", service_form("")}})};
}

Html DnsPage::summary(const DnsPageFacts& facts) const {
  const ProcessStatus process = read_process_status();
  const auto now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch());
  FactTable table("The program");
  table.row("Readiness", facts.readiness);
  if (facts.source.empty()) {
    table.row("Cluster", "none is served");
  } else {
    table.row("Cluster", parts_.zone().to_text() + " from " + facts.source);
  }
  std::string listen;
  for (const std::string& address : facts.listen) {
    listen += (listen.empty() ? "" : ", ") + address;
  }
  table.row("Listens on", listen);
  table.row("Static zones", facts.static_zones);
  table.row("Runs for", duration_text(now.count() - process.start_seconds));
  table.row("Resident memory", size_text(process.resident_bytes));
  return table.finish();
}

Html DnsPage::known(const DnsPageFacts& facts) const {
  const cache::ServiceCache& cache = parts_.world.cache();
  FactTable table("The world");
  table.row("Synced", cache.is_synced() ? "yes" : "not yet");
  if (parts_.world.api() != nullptr) {
    table.row("Age", facts.data_age
                         ? duration_text(std::chrono::duration<double>(*facts.data_age).count())
                         : "nothing is known yet");
  }
  if (facts.is_stale) {
    table.row("Stale", "yes: answers say so (EDE 3)");
  }
  if (facts.snapshot_age) {
    table.row("Age of the snapshot",
              duration_text(std::chrono::duration<double>(*facts.snapshot_age).count()));
  }
  const cache::ServiceCache::Counts& counts = cache.counts();
  for (const auto& [name, count] :
       {std::pair{"Services", counts.services}, std::pair{"EndpointSlices", counts.slices},
        std::pair{"Endpoints", counts.endpoints}, std::pair{"Namespaces", counts.namespaces},
        std::pair{"Pods", counts.pods}}) {
    table.row(name, count);
  }
  return table.finish();
}

Html DnsPage::source(const DnsPageFacts& facts) const {
  Html html;
  if (parts_.world.api() != nullptr) {
    html.add(kinds_table(parts_.world.api()->statuses(), std::chrono::steady_clock::now()));
  } else if (facts.problems.empty()) {
    html.markup("<p>No object has a problem.</p>\n");
  }
  if (!facts.problems.empty()) {
    html.add(problems_table(facts.problems));
  }
  return html;
}

Html DnsPage::cache() const {
  const std::vector<const server::Counters*> workers = parts_.counters();
  FactTable table("Cache of other servers' answers");
  table.row("Answers", parts_.forwarding.cache().entries());
  table.row("Memory", size_text(parts_.forwarding.cache().bytes()));
  table.row("Hits", sum(workers, &server::Counters::cache_hits));
  table.row("Misses", sum(workers, &server::Counters::cache_misses));
  return table.finish();
}

PageContent DnsPage::services(const PageQuery& query) {
  Trial trial(parts_.views);
  return {.title = "Services",
          .html = service_list(parts_.world.cache(), parts_.zone(), query, &trial)};
}

PageContent DnsPage::service(const PageQuery& query) {
  const kube::ObjectKey key = service_key(query);
  const auto state = parts_.world.cache().find(key);
  if (!state) {
    return no_such_service(key);
  }
  Trial trial(parts_.views);
  return {
      .title = key.to_text(),
      .html = service_facts(key, *state).add(service_answers(key, *state, parts_.zone(), trial))};
}

}  // namespace waypost::ops
