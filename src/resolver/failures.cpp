#include "resolver/failures.h"

#include <algorithm>
#include <utility>

namespace waypost::resolver {

void Failures::remember(const Question& question, Failure failure, SteadyTime now) {
  auto found = entries_.find(question);
  if (found == entries_.end()) {
    if (entries_.size() >= MaxEntries && now >= next_sweep_) {
      sweep(now);
    }
    if (entries_.size() >= MaxEntries) {
      return;
    }
    found = entries_.emplace(question, Entry{}).first;
  }
  Entry& entry = found->second;
  // One that succeeded meanwhile was forgotten; one that failed long ago counts as a first.
  const bool is_again = entry.pause.count() != 0 && now < entry.until + LongestPause;
  const std::chrono::seconds longest = std::max(first_pause_, LongestPause);
  entry.pause = is_again ? std::min(2 * entry.pause, longest) : first_pause_;
  entry.until = now + entry.pause;
  entry.failure = std::move(failure);
}

void Failures::forget(const Question& question) {
  entries_.erase(question);
}

const Failure* Failures::find(const Question& question, SteadyTime now) const {
  const auto found = entries_.find(question);
  return found == entries_.end() || now >= found->second.until ? nullptr : &found->second.failure;
}

void Failures::sweep(SteadyTime now) {
  ++sweeps_;
  next_sweep_ = now + SweepInterval;
  std::erase_if(entries_, [now](const auto& each) { return now >= each.second.until; });
}

}  // namespace waypost::resolver
