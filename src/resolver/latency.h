// How long an upstream's answers take, and how many are lost, of late.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace waypost::resolver {

// One thread.  A fixed size of about 300 octets.
class Latency {
 public:
  using Microseconds = std::chrono::microseconds;

  void note_answer(std::chrono::nanoseconds duration) noexcept;
  void note_loss() noexcept { loss_ += (1 - loss_) * LossWeight; }

  bool is_known() const noexcept { return count_ != 0; }
  // A moving average in which each answer counts an eighth (as RFC 6298, 2); 0 when not known.
  Microseconds smoothed() const noexcept { return smoothed_; }
  // The share of questions without an answer: a moving average as well.
  double loss() const noexcept { return loss_; }
  // What 19 of 20 of the last answers did not exceed.  REQUIRES: is_known().
  Microseconds usual_most() const noexcept { return usual_most_; }

  // What an answer is likely to take, a lost question counted with `timeout`: for ranking.  0 when
  // nothing is known, so that it becomes known.
  Microseconds expected(Microseconds timeout) const noexcept;

 private:
  static constexpr double LossWeight = 1.0 / 16;
  static constexpr std::size_t Window = 64;

  void find_usual_most() noexcept;

  std::array<std::uint32_t, Window> last_{};
  std::size_t count_ = 0;  // Answers so far.
  Microseconds smoothed_{0};
  Microseconds usual_most_{0};
  double loss_ = 0;
};

}  // namespace waypost::resolver
