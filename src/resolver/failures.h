// Questions that could not be answered a moment ago, so that they are not asked again at once (RFC
// 9520, 3.2): each for a second at first, or for as long as is set, then twice as long each time,
// up to five seconds (RFC 8767, 5: the failure recheck timer).

#pragma once

#include "base/timer.h"
#include "dns/types.h"
#include "resolver/question.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <unordered_map>

namespace waypost::resolver {

// Why there is no answer, in the words that the client is told (RFC 8914).
struct Failure {
  dns::Rcode rcode = dns::Rcode::ServFail;
  dns::ExtendedError reason = dns::ExtendedError::Other;
  std::string text;
};

// One thread.
class Failures {
 public:
  // When as many are remembered, further ones are not, until those that are over are swept out,
  // once a second: a flood of names that fail is then asked about as often as it comes, within the
  // bound on questions in flight.
  static constexpr std::size_t MaxEntries = 4096;
  static constexpr std::chrono::seconds SweepInterval{1};
  static constexpr std::chrono::seconds LongestPause{5};

  // What is above LongestPause stays as it is.
  void set_first_pause(std::chrono::seconds pause) noexcept { first_pause_ = pause; }
  void remember(const Question& question, Failure failure, SteadyTime now);
  void forget(const Question& question);
  // The failure whose pause is not over, or nullptr.  Valid until the next call of a function that
  // is not const.
  const Failure* find(const Question& question, SteadyTime now) const;
  void clear() { entries_.clear(); }
  std::size_t size() const noexcept { return entries_.size(); }
  // How often all of them were looked at.
  std::size_t sweeps() const noexcept { return sweeps_; }

 private:
  struct Entry {
    Failure failure;
    std::chrono::seconds pause{};
    SteadyTime until;
  };
  void sweep(SteadyTime now);

  std::unordered_map<Question, Entry, QuestionHash> entries_;
  std::chrono::seconds first_pause_{1};
  SteadyTime next_sweep_{};
  std::size_t sweeps_ = 0;
};

}  // namespace waypost::resolver
