#include "ops/page/charts.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace waypost::ops {
namespace {

// Of the drawing, in its own units; the line keeps half its width from the edges.
constexpr double Width = 120;
constexpr double Height = 24;
constexpr double Margin = 1;

double sane(double value) noexcept {
  return std::isfinite(value) && value > 0 ? value : 0;
}

}  // namespace

Html sparkline(std::span<const double> values, std::string_view label) {
  const std::size_t points = std::min(values.size(), MaxSparkPoints);
  double largest = 0;
  std::vector<double> heights(points);
  for (std::size_t i = 0; i < points; ++i) {
    const std::size_t begin = i * values.size() / points;
    const std::size_t end = (i + 1) * values.size() / points;
    for (std::size_t j = begin; j < end; ++j) {
      heights[i] += sane(values[j]) / static_cast<double>(end - begin);
    }
    largest = std::max(largest, heights[i]);
  }
  Html svg;
  svg.markup("<svg class=\"spark\" viewBox=\"0 0 120 24\" role=\"img\" aria-label=\"")
      .text(label)
      .markup("\"><polyline points=\"");
  for (std::size_t i = 0; i < points; ++i) {
    // The newest value stands at the right edge, however few there are.
    const double x = points < 2 ? Width - Margin
                                : Margin + (Width - 2 * Margin) * static_cast<double>(i) /
                                               static_cast<double>(points - 1);
    const double share = largest > 0 ? heights[i] / largest : 0;
    svg.markup(i == 0 ? Markup("") : Markup(" "))
        .number(x, 1)
        .markup(",")
        .number(Height - Margin - (Height - 2 * Margin) * share, 1);
  }
  svg.markup("\"/></svg>");
  return svg;
}

std::pair<std::size_t, std::size_t> used_range(std::span<const std::uint64_t> buckets) noexcept {
  std::size_t end = buckets.size();
  while (end > 0 && buckets[end - 1] == 0) {
    --end;
  }
  std::size_t begin = 0;
  while (begin < end && buckets[begin] == 0) {
    ++begin;
  }
  return {begin, end};
}

Html bar(double share) {
  Html svg;
  svg.markup("<svg class=\"bar\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" ")
      .markup("aria-hidden=\"true\"><rect height=\"10\" width=\"")
      .number(100 * std::min(sane(share), 1.0), 1)
      .markup("\"/></svg>");
  return svg;
}

}  // namespace waypost::ops
