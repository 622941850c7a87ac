#include "ops/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

namespace waypost::ops {

struct Scrape::State {
  std::vector<prometheus::MetricFamily> families;

  prometheus::ClientMetric& add(std::string_view name, std::string_view help,
                                prometheus::MetricType type, MetricLabels labels) {
    auto family = std::find_if(families.begin(), families.end(),
                               [&](const auto& each) { return each.name == name; });
    if (family == families.end()) {
      families.push_back({std::string(name), std::string(help), type, {}});
      family = std::prev(families.end());
    }
    prometheus::ClientMetric& metric = family->metric.emplace_back();
    for (auto& [label, value] : labels) {
      metric.label.push_back({std::string(label), std::move(value)});
    }
    return metric;
  }
};

namespace {

// `bound_of` gives the upper bound of each bucket but the last, which has none.
template <typename BoundOf>
void fill(prometheus::ClientMetric::Histogram& target, std::span<const std::uint64_t> counts,
          double sum, BoundOf&& bound_of) {
  target.sample_sum = sum;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    target.sample_count += counts[i];
    const bool is_last = i + 1 == counts.size();
    target.bucket.push_back(
        {target.sample_count, is_last ? std::numeric_limits<double>::infinity() : bound_of(i)});
  }
}

}  // namespace

Scrape::Scrape() : state_(std::make_unique<State>()) {}
Scrape::~Scrape() = default;

void Scrape::counter(std::string_view name, std::string_view help, double value,
                     MetricLabels labels) {
  state_->add(name, help, prometheus::MetricType::Counter, std::move(labels)).counter.value = value;
}

void Scrape::gauge(std::string_view name, std::string_view help, double value,
                   MetricLabels labels) {
  state_->add(name, help, prometheus::MetricType::Gauge, std::move(labels)).gauge.value = value;
}

void Scrape::histogram(std::string_view name, std::string_view help, const HistogramView& histogram,
                       MetricLabels labels) {
  fill(state_->add(name, help, prometheus::MetricType::Histogram, std::move(labels)).histogram,
       histogram.counts, histogram.sum_seconds, [&](std::size_t bucket) {
         return std::ldexp(histogram.first_bound, static_cast<int>(bucket));
       });
}

void Scrape::histogram(std::string_view name, std::string_view help,
                       const SizeHistogramView& histogram, MetricLabels labels) {
  fill(state_->add(name, help, prometheus::MetricType::Histogram, std::move(labels)).histogram,
       histogram.counts, static_cast<double>(histogram.sum),
       [&](std::size_t bucket) { return static_cast<double>(histogram.bounds[bucket]); });
}

void Scrape::histogram(std::string_view name, std::string_view help,
                       const BoundedHistogramView& histogram, MetricLabels labels) {
  fill(state_->add(name, help, prometheus::MetricType::Histogram, std::move(labels)).histogram,
       histogram.counts, histogram.sum_seconds,
       [&](std::size_t bucket) { return histogram.bounds[bucket]; });
}

std::string Scrape::text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, state_->families);
  return out.str();
}

std::string Metrics::text() const {
  Scrape scrape;
  for (const Collector& collect : collectors_) {
    collect(scrape);
  }
  return scrape.text();
}

}  // namespace waypost::ops
