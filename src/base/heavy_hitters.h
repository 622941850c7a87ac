// The keys that come most often among any number of them, in bounded memory: the Space-Saving
// sketch (Metwally, Agrawal, El Abbadi 2005).
//
// With room for m keys and a weight of W in all, each count is too large by W/m at most, and never
// too small; a key that is not there has come W/m times at most.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace waypost {

template <typename Key, typename Hash = std::hash<Key>>
class HeavyHitters {
 public:
  struct Entry {
    Key key;
    std::uint64_t count = 0;
    std::uint64_t excess = 0;  // By how much `count` may be too large.
  };

  // REQUIRES: capacity > 0.
  explicit HeavyHitters(std::size_t capacity) : capacity_(capacity) {
    entries_.reserve(capacity);
    places_.reserve(capacity);
  }

  // Costs a look at every entry when `key` is new and there is no room.
  void add(const Key& key, std::uint64_t weight) {
    total_ += weight;
    if (const auto place = places_.find(key); place != places_.end()) {
      entries_[place->second].count += weight;
    } else if (entries_.size() < capacity_) {
      places_.emplace(key, entries_.size());
      entries_.push_back({key, weight, 0});
    } else {
      const auto least = std::ranges::min_element(entries_, {}, &Entry::count);
      places_.erase(least->key);
      places_.emplace(key, static_cast<std::size_t>(least - entries_.begin()));
      *least = {key, least->count + weight, least->count};
    }
  }

  // In no particular order.
  const std::vector<Entry>& entries() const noexcept { return entries_; }
  std::uint64_t total() const noexcept { return total_; }
  // How much any count may be too large, and how often a key came that is not there, at most.
  std::uint64_t bound() const noexcept {
    return entries_.size() < capacity_ ? 0 : total_ / capacity_;
  }

  void clear() noexcept {
    entries_.clear();
    places_.clear();
    total_ = 0;
  }

 private:
  std::size_t capacity_;
  std::vector<Entry> entries_;
  std::unordered_map<Key, std::size_t, Hash> places_;  // To the index in entries_.
  std::uint64_t total_ = 0;
};

}  // namespace waypost
