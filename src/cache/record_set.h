// A hash set of records that carry their own key and their own link.
//
// Costs 16 octets for each record: a bucket and the link.  Does not own the records.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

namespace waypost::cache {

// "namespace/name" as it stands in a record.
struct KeyView {
  std::string_view name_space;
  std::string_view name;

  friend bool operator==(const KeyView&, const KeyView&) = default;
  std::size_t hash() const noexcept {
    const std::size_t left = std::hash<std::string_view>()(name_space);
    return (left * 0x9e3779b97f4a7c15ULL) ^ std::hash<std::string_view>()(name);
  }
};

// `Record` has `KeyView key() const noexcept` and a member `Record* next_in_bucket`.
template <typename Record>
class RecordSet {
 public:
  Record* find(const KeyView& key) const noexcept {
    Record* at = size_ == 0 ? nullptr : bucket(key);
    while (at != nullptr && at->key() != key) {
      at = at->next_in_bucket;
    }
    return at;
  }

  // REQUIRES: no record of that key is there.
  void insert(Record& record) {
    if (size_ == capacity_) {
      grow();
    }
    ++size_;
    Record*& first = bucket(record.key());
    record.next_in_bucket = first;
    first = &record;
  }

  // REQUIRES: it is there.
  void remove(Record& record) noexcept {
    link_to(record) = record.next_in_bucket;
    --size_;
  }

  // Puts `fresh` in the place of `old`, which has the same key and is there.
  void replace(Record& old, Record& fresh) noexcept {
    link_to(old) = &fresh;
    fresh.next_in_bucket = old.next_in_bucket;
  }

  // In no order.  `visit` may remove, or free, the record that it is called with.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t i = 0; i < capacity_; ++i) {
      for (Record* at = buckets_[i]; at != nullptr;) {
        Record* next = at->next_in_bucket;
        visit(*at);
        at = next;
      }
    }
  }

  std::size_t size() const noexcept { return size_; }

 private:
  Record*& bucket(const KeyView& key) const noexcept {
    return buckets_[key.hash() & (capacity_ - 1)];
  }
  Record*& link_to(Record& record) const noexcept {
    Record** link = &bucket(record.key());
    while (*link != &record) {
      link = &(*link)->next_in_bucket;
    }
    return *link;
  }
  void grow() {
    const std::size_t old_capacity = capacity_;
    const std::unique_ptr<Record*[]> old = std::move(buckets_);
    capacity_ = old_capacity == 0 ? 16 : old_capacity * 2;
    buckets_ = std::make_unique<Record*[]>(capacity_);
    for (std::size_t i = 0; i < old_capacity; ++i) {
      for (Record* at = old[i]; at != nullptr;) {
        Record* next = at->next_in_bucket;
        Record*& first = bucket(at->key());
        at->next_in_bucket = first;
        first = at;
        at = next;
      }
    }
  }

  std::size_t capacity_ = 0;  // A power of two, or none.
  std::size_t size_ = 0;
  std::unique_ptr<Record*[]> buckets_;
};

}  // namespace waypost::cache
