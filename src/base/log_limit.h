// How many lines of the log each place of the program may write, so that nobody outside can fill
// the log: not with packets, not with objects, not by coming and going.
//
// Not here: writing them (base/log.h).

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <source_location>
#include <string_view>
#include <unordered_map>

namespace waypost::log {

// Safe to call from any thread.  Bounded by the places of the program.
class Limit {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Lines that a place may write at once.
  static constexpr std::uint32_t Burst = 100;
  // Then so long passes for each.
  static constexpr std::chrono::seconds Interval{5};

  struct Verdict {
    bool is_admitted = false;
    bool is_last = false;        // What follows at once is left out; said once until the place
                                 // was silent long enough for another burst.
    std::uint64_t left_out = 0;  // Of this place, since it was admitted last.
  };

  // Whether the place may write a line at `now`, which it then has done.
  Verdict ask(const std::source_location& place, Time now);

 private:
  // A file's name is one literal wherever it is used in a translation unit.
  struct Place {
    const char* file;
    std::uint_least32_t line;
    friend bool operator==(const Place&, const Place&) = default;
  };
  struct PlaceHash {
    std::size_t operator()(const Place& place) const noexcept {
      return std::hash<const void*>()(place.file) ^ (std::size_t{place.line} * 0x9e3779b97f4a7c15U);
    }
  };
  struct Bucket {
    Time full_at{};  // When it would be full again, if nobody wrote until then.
    std::uint64_t left_out = 0;
    bool has_told = false;  // Verdict::is_last.
  };

  // Held for a look-up; the packet path logs nothing, and so never waits for it.
  std::mutex mutex_;
  std::unordered_map<Place, Bucket, PlaceHash> places_;
};

}  // namespace waypost::log
