// Metrics in Prometheus' text form, read from their owners when somebody scrapes.
//
// Nothing is stored here: each part of the program registers a collector that reads what the part
// counts anyway.  docs/metrics.md lists all of them; names follow Prometheus' conventions, and
// CoreDNS' names are kept where they mean the same.
//
// Not here: HTTP (ops/http_server.h), what is counted (server/counters.h and others).

#pragma once

#include "base/duration_histogram.h"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waypost::ops {

// Names of labels with their values.  A value may be any text; it is escaped.
using MetricLabels = std::vector<std::pair<std::string_view, std::string>>;

// A histogram whose bounds double.
struct HistogramView {
  std::span<const std::uint64_t> counts;  // Not cumulative; the last is for all above.
  double first_bound;                     // Seconds.
  double sum_seconds;

  HistogramView(std::span<const std::uint64_t> all, double first, double sum) noexcept
      : counts(all), first_bound(first), sum_seconds(sum) {}
  // Borrows from `histogram`.
  template <std::uint64_t FirstUs, std::size_t Bounds>
  HistogramView(const DurationHistogram<FirstUs, Bounds>& histogram) noexcept
      : HistogramView(histogram.counts(), histogram.FirstBound, histogram.sum_seconds()) {}
};

// Octets, by the bounds of their buckets.
struct SizeHistogramView {
  std::span<const std::uint64_t> counts;  // As above.
  std::span<const std::uint16_t> bounds;  // One fewer.
  std::uint64_t sum = 0;
};

// Seconds, by the bounds of their buckets.
struct BoundedHistogramView {
  std::span<const std::uint64_t> counts;  // As above.
  std::span<const double> bounds;         // One fewer.
  double sum_seconds = 0;
};

// One scrape under way.  Families come out in the order of their first sample; samples of one name
// need not follow each other, but have one kind and one help, those of the first.
class Scrape {
 public:
  Scrape();
  ~Scrape();
  Scrape(const Scrape&) = delete;
  Scrape& operator=(const Scrape&) = delete;

  // A number that only grows, from 0 at the start of the process.  `name` ends in "_total".
  void counter(std::string_view name, std::string_view help, double value,
               MetricLabels labels = {});
  // A number that comes and goes.  Its unit, if any, ends the name: "_seconds", "_bytes".
  void gauge(std::string_view name, std::string_view help, double value, MetricLabels labels = {});

  // Sizes in octets; `name` ends in "_bytes".
  void histogram(std::string_view name, std::string_view help, const SizeHistogramView& histogram,
                 MetricLabels labels = {});
  // Durations in seconds; `name` ends in "_seconds".
  void histogram(std::string_view name, std::string_view help, const HistogramView& histogram,
                 MetricLabels labels = {});
  void histogram(std::string_view name, std::string_view help,
                 const BoundedHistogramView& histogram, MetricLabels labels = {});

  // The text exposition format 0.0.4.
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Control thread only, which is where collectors are called.
class Metrics {
 public:
  static constexpr std::string_view ContentType = "text/plain; version=0.0.4; charset=utf-8";

  using Collector = std::function<void(Scrape&)>;
  // What `collector` reads is borrowed and outlives this object.
  void add(Collector collector) { collectors_.push_back(std::move(collector)); }

  std::string text() const;

 private:
  std::vector<Collector> collectors_;
};

}  // namespace waypost::ops
