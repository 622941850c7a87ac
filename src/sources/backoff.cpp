#include "sources/backoff.h"

#include <algorithm>

namespace waypost::sources {

std::chrono::milliseconds Backoff::next() {
  const std::chrono::milliseconds span = next_;
  next_ = std::min(next_ * 2, bounds_.cap);
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::int64_t>(span.count() / 2, span.count())(random_));
}

std::chrono::milliseconds Backoff::spread(std::chrono::milliseconds span) {
  return span + std::chrono::milliseconds(
                    std::uniform_int_distribution<std::int64_t>(0, span.count())(random_));
}

}  // namespace waypost::sources
