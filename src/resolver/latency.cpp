#include "resolver/latency.h"

#include <algorithm>
#include <limits>

namespace waypost::resolver {

void Latency::note_answer(std::chrono::nanoseconds duration) noexcept {
  // More than an hour is not measured; less than a microsecond is one.
  constexpr std::int64_t Most = std::numeric_limits<std::uint32_t>::max();
  const auto micros =
      std::clamp<std::int64_t>(std::chrono::duration_cast<Microseconds>(duration).count(), 1, Most);
  last_[count_ % Window] = static_cast<std::uint32_t>(micros);
  smoothed_ =
      count_ == 0 ? Microseconds(micros) : smoothed_ + (Microseconds(micros) - smoothed_) / 8;
  ++count_;
  loss_ -= loss_ * LossWeight;
  // Selecting among 64 takes less than a microsecond, and is still not needed each time.
  if (count_ <= Window ? count_ % 4 == 1 || count_ < 8 : count_ % 8 == 0) {
    find_usual_most();
  }
}

void Latency::find_usual_most() noexcept {
  auto sorted = last_;
  const std::size_t size = std::min(count_, Window);
  const std::size_t at = (size * 19 + 19) / 20 - 1;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(at),
                   sorted.begin() + static_cast<std::ptrdiff_t>(size));
  usual_most_ = Microseconds(sorted[at]);
}

Latency::Microseconds Latency::expected(Microseconds timeout) const noexcept {
  const double micros = static_cast<double>(smoothed_.count()) * (1 - loss_) +
                        static_cast<double>(timeout.count()) * loss_;
  return Microseconds(static_cast<std::int64_t>(micros));
}

}  // namespace waypost::resolver
