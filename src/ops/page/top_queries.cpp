#include "ops/page/top_queries.h"

#include "dns/name.h"
#include "ops/page/charts.h"
#include "ops/page/table.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace waypost::ops {
namespace {

std::string name_text(const std::string& wire) {
  const auto name = dns::Name::from_wire(as_bytes(wire));
  return wire.empty() || !name ? "(not readable)" : name->to_text();
}

Html about(double value) {
  return Html().number(value, 0);
}

}  // namespace

void TopQueries::Counts::clear() noexcept {
  names.clear();
  clients.clear();
  samples = guessed = missed = 0;
}

void TopQueries::note(const server::QuerySample& sample) {
  const std::uint64_t weight = sample.weight;
  ++now_.samples;
  now_.guessed += weight * (weight - 1);
  now_.names.add(std::string(as_text(sample.name())), weight);
  now_.clients.add(sample.client, weight);
}

void TopQueries::advance(SteadyTime now, std::uint64_t missed) {
  now_.missed += missed - std::exchange(missed_, missed);
  if (now - begun_ < Window) {
    return;
  }
  std::swap(now_, before_);
  now_.clear();
  before_begun_ = std::exchange(begun_, now);
}

template <typename Key, typename Hash, typename Show>
Html TopQueries::table(std::string_view caption, std::string_view title,
                       HeavyHitters<Key, Hash> Counts::* which, Show show) const {
  using Entry = typename HeavyHitters<Key, Hash>::Entry;
  std::vector<Entry> entries = (now_.*which).entries();
  for (const Entry& older : (before_.*which).entries()) {
    const auto same = std::ranges::find(entries, older.key, &Entry::key);
    if (same == entries.end()) {
      entries.push_back(older);
    } else {
      same->count += older.count;
      same->excess += older.excess;
    }
  }
  std::ranges::sort(entries, [](const Entry& left, const Entry& right) {
    return std::pair(right.count, left.key) < std::pair(left.count, right.key);
  });
  entries.resize(std::min(entries.size(), Shown));

  const double total = static_cast<double>((now_.*which).total() + (before_.*which).total());
  const double guessed = static_cast<double>(now_.guessed + before_.guessed);
  const double sketch = static_cast<double>((now_.*which).bound() + (before_.*which).bound());
  HtmlTable table(caption,
                  {{title},
                   {"Queries", Align::Number},
                   {"Wrong by at most", Align::Number},
                   {"Share", Align::Number},
                   {""}},
                  "nothing was asked of late");
  for (const Entry& entry : entries) {
    const double count = static_cast<double>(entry.count);
    // Twice the standard deviation of what the samples of this key stand for, if it has its share
    // of large weights, and what the sketch may be wrong by.
    const double sampling = 2 * std::sqrt(guessed * count / std::max(total, 1.0));
    table.row({escaped(show(entry.key)), about(count), about(std::ceil(sampling + sketch)),
               Html().number(100 * count / total, 1).markup(" %"), bar(count / total)});
  }
  return table.finish();
}

Html TopQueries::tables(SteadyTime now) const {
  Html html = table("Names that are asked for most", "Name", &Counts::names, name_text);
  html.add(table("Clients that ask most", "Client", &Counts::clients,
                 [](const IpAddress& client) { return client.to_text(); }));
  const std::uint64_t samples = now_.samples + before_.samples;
  const std::uint64_t missed = now_.missed + before_.missed;
  html.markup("<p class=\"note\">Of the last ")
      .text(duration_text(std::chrono::duration<double>(now - before_begun_).count()))
      .markup(", estimated from ")
      .number(samples)
      .markup(" samples of about ")
      .number(now_.names.total() + before_.names.total())
      .markup(
          " queries. Counts are wrong by no more than said in 95 of 100 cases: chance chose the ")
      .markup("samples, and ")
      .number(std::uint64_t{Capacity})
      .markup(" names and clients are followed at a time.");
  if (missed != 0) {
    html.markup(" About ").number(missed).markup(
        " queries were not looked at while the load changed.");
  }
  return html.markup("</p>\n");
}

}  // namespace waypost::ops
