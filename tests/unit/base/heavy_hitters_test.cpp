#include "base/heavy_hitters.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

namespace waypost {

TEST_CASE("with room for all keys every count is exact") {
  HeavyHitters<int> sketch(3);
  for (int i = 0; i < 10; ++i) {
    sketch.add(i % 3, 2);
  }
  CHECK(sketch.total() == 20);
  REQUIRE(sketch.entries().size() == 3);
  for (const auto& entry : sketch.entries()) {
    CHECK(entry.count == (entry.key == 0 ? 8 : 6));
    CHECK(entry.excess == 0);
  }
  sketch.clear();
  CHECK(sketch.entries().empty());
  CHECK(sketch.total() == 0);
}

TEST_CASE("no count is too small, none too large by more than the bound, whatever comes") {
  std::mt19937 random(5);
  for (const double skew : {0.0, 0.7, 1.3}) {
    CAPTURE(skew);
    constexpr int Keys = 3000;
    constexpr std::size_t Capacity = 64;
    std::vector<double> weights;
    for (int i = 1; i <= Keys; ++i) {
      weights.push_back(1 / std::pow(i, skew));
    }
    std::discrete_distribution<int> choose(weights.begin(), weights.end());
    HeavyHitters<int> sketch(Capacity);
    std::map<int, std::uint64_t> exact;
    for (int i = 0; i < 20'000; ++i) {
      const int key = choose(random);
      const std::uint64_t weight = 1 + random() % 8;
      sketch.add(key, weight);
      exact[key] += weight;
    }
    CHECK(sketch.entries().size() == Capacity);
    CHECK(sketch.bound() == sketch.total() / Capacity);
    for (const auto& entry : sketch.entries()) {
      CHECK(entry.count >= exact[entry.key]);
      CHECK(entry.count - entry.excess <= exact[entry.key]);
      CHECK(entry.excess <= sketch.bound());
      exact.erase(entry.key);
    }
    for (const auto& [key, count] : exact) {
      CHECK(count <= sketch.bound());
    }
  }
}

}  // namespace waypost
