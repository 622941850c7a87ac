#include "base/random.h"

#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace waypost {

std::uint64_t SystemRandom::next() {
  if (left_ == 0) {
    static_assert(sizeof portion_ <= 256);  // The most that getentropy(3) gives.
    if (getentropy(portion_.data(), sizeof portion_) != 0) {
      std::abort();
    }
    left_ = portion_.size();
  }
  // What was given out is not kept.
  return std::exchange(portion_[--left_], 0);
}

}  // namespace waypost
