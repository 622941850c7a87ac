#include "ops/page/rate_history.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <numeric>

namespace waypost::ops {
namespace {

std::uint64_t sum(std::span<const std::uint32_t> answers) noexcept {
  return std::accumulate(answers.begin(), answers.end(), std::uint64_t{0});
}

}  // namespace

void RateHistory::sample(SteadyTime now, std::span<const server::Counters* const> workers) {
  Sample sample;
  for (std::size_t rcode = 0; rcode < dns::RcodePlaces; ++rcode) {
    std::uint64_t total = 0;
    for (const server::Counters* worker : workers) {
      total += worker->rcodes[rcode].value();
    }
    const std::uint64_t more = total - std::min(total, totals_[rcode]);
    sample.answers[rcode] = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(more, std::numeric_limits<std::uint32_t>::max()));
    totals_[rcode] = total;
  }
  sample.seconds = std::chrono::duration<float>(now - last_).count();
  last_ = now;
  if (!std::exchange(has_begun_, true) || sample.seconds <= 0) {
    return;
  }
  samples_[next_] = sample;
  next_ = (next_ + 1) % Capacity;
  size_ = std::min(size_ + 1, Capacity);
}

std::vector<double> RateHistory::rates(std::size_t rcode) const {
  std::vector<double> rates;
  for (std::size_t age = size_; age-- > 0;) {
    const Sample& sample = newest(age);
    rates.push_back(sample.answers[rcode] / static_cast<double>(sample.seconds));
  }
  return rates;
}

std::vector<double> RateHistory::rates() const {
  std::vector<double> rates;
  for (std::size_t age = size_; age-- > 0;) {
    const Sample& sample = newest(age);
    rates.push_back(static_cast<double>(sum(sample.answers)) / static_cast<double>(sample.seconds));
  }
  return rates;
}

double RateHistory::mean_rate(std::size_t rcode, double seconds) const noexcept {
  double answers = 0;
  double spanned = 0;
  for (std::size_t age = 0; age < size_; ++age) {
    const Sample& sample = newest(age);
    if (age != 0 && spanned + static_cast<double>(sample.seconds) > seconds) {
      break;
    }
    answers += sample.answers[rcode];
    spanned += static_cast<double>(sample.seconds);
  }
  return spanned > 0 ? answers / spanned : 0;
}

double RateHistory::mean_rate(double seconds) const noexcept {
  double all = 0;
  for (std::size_t rcode = 0; rcode < dns::RcodePlaces; ++rcode) {
    all += mean_rate(rcode, seconds);
  }
  return all;
}

double RateHistory::seconds() const noexcept {
  double spanned = 0;
  for (std::size_t age = 0; age < size_; ++age) {
    spanned += static_cast<double>(newest(age).seconds);
  }
  return spanned;
}

}  // namespace waypost::ops
