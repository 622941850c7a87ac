#include "ops/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
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
  prometheus::ClientMetric::Histogram& target =
      state_->add(name, help, prometheus::MetricType::Histogram, std::move(labels)).histogram;
  target.sample_sum = histogram.sum_seconds;
  std::uint64_t cumulative = 0;
  double bound = histogram.first_bound;
  for (const std::uint64_t count : histogram.counts) {
    cumulative += count;
    const bool is_last = target.bucket.size() + 1 == histogram.counts.size();
    target.bucket.push_back(
        {cumulative, is_last ? std::numeric_limits<double>::infinity() : bound});
    bound *= 2;
  }
  target.sample_count = cumulative;
}

void Scrape::histogram(std::string_view name, std::string_view help,
                       const SizeHistogramView& histogram, MetricLabels labels) {
  prometheus::ClientMetric::Histogram& target =
      state_->add(name, help, prometheus::MetricType::Histogram, std::move(labels)).histogram;
  target.sample_sum = static_cast<double>(histogram.sum);
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    cumulative += histogram.counts[i];
    target.bucket.push_back({cumulative, i < histogram.bounds.size()
                                             ? static_cast<double>(histogram.bounds[i])
                                             : std::numeric_limits<double>::infinity()});
  }
  target.sample_count = cumulative;
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
