// Numbers that nobody outside can guess, so that tests can choose them.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace waypost {

// Used on one thread.
class Random {
 public:
  virtual ~Random() = default;

  virtual std::uint64_t next() = 0;

  // Returns a number below `bound`, which is at least 1 and small: the bias is bound / 2^64.
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }
};

// The kernel's, fetched in portions.  Ends the program on a kernel without getrandom(2): numbers
// that can be guessed would be worse.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override;

 private:
  std::array<std::uint64_t, 32> portion_{};
  std::size_t left_ = 0;
};

}  // namespace waypost
