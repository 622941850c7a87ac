// What ServiceCache allocates: one record for each object, with its texts behind it.
//
// Private to the room.  Records point at each other: every Service, slice and Pod at its namespace,
// whose name thus stands once; a namespace at its Services and Pods; a Service at its slices.

#pragma once

#include "cache/packed_objects.h"
#include "cache/record_set.h"
#include "kube/objects.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace waypost::cache {

struct ServiceRecord;
struct PodRecord;

// A namespace that exists, or that something else says that it lives in.
struct NamespaceRecord {
  explicit NamespaceRecord(std::string_view named) : name(named) {}

  const std::string name;
  NamespaceRecord* next_in_bucket = nullptr;
  std::unique_ptr<kube::Namespace> object;  // Null: not known.
  ServiceRecord* services = nullptr;        // The first of its list.
  PodRecord* pods = nullptr;
  std::size_t slices = 0;
  bool marked = false;  // Seen since begin_relist(); the same in the other records.

  KeyView key() const noexcept { return {{}, name}; }
  bool is_used() const noexcept {
    return object != nullptr || services != nullptr || pods != nullptr || slices != 0;
  }
};

// Texts stand right behind a record, in the same allocation.
template <typename Record>
std::string_view text_behind(const Record& record, std::size_t at, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(&record + 1) + at, size};
}
template <typename Record, typename... Texts>
Record* make_with_texts(Record record, Texts... texts) {
  auto* memory =
      static_cast<char*>(::operator new(sizeof(Record) + (std::size_t{0} + ... + texts.size())));
  auto* made = new (memory) Record(std::move(record));
  memory += sizeof(Record);
  ((memory += texts.copy(memory, texts.size())), ...);
  return made;
}
struct FreeRecord {
  template <typename Record>
  void operator()(Record* record) const noexcept {
    static_assert(std::is_trivially_destructible_v<Record>);
    ::operator delete(record);
  }
};

// A Service's object.
struct PackedService {
  using Pointer = std::unique_ptr<PackedService, FreeRecord>;
  const ServiceRecord* record;
  std::uint64_t resource_version;
  std::uint32_t size;
  bool marked = false;

  std::string_view octets() const noexcept { return text_behind(*this, 0, size); }
};

// A slice.  The records of a Service's slices form a list in the order of their names.
struct SliceRecord {
  using Pointer = std::unique_ptr<SliceRecord, FreeRecord>;
  NamespaceRecord* name_space;
  SliceRecord* next_in_bucket = nullptr;
  SliceRecord* next = nullptr;
  std::uint64_t resource_version;
  std::uint32_t endpoints;
  std::uint32_t size;
  std::uint16_t name_size;
  std::uint16_t service_name_size;
  bool marked = false;

  KeyView key() const noexcept { return {name_space->name, name()}; }
  std::string_view name() const noexcept { return text_behind(*this, 0, name_size); }
  std::string_view service_name() const noexcept {
    return text_behind(*this, name_size, service_name_size);
  }
  std::string_view octets() const noexcept {
    return text_behind(*this, std::size_t{name_size} + service_name_size, size);
  }
};

// A Service's name, with what is known under it: its object, its slices, or both.
struct ServiceRecord {
  NamespaceRecord* name_space;
  ServiceRecord* next_in_bucket = nullptr;
  ServiceRecord* next = nullptr;  // In the namespace, in no order.
  ServiceRecord* previous = nullptr;
  PackedService* service = nullptr;
  SliceRecord* slices = nullptr;
  std::uint16_t name_size;

  KeyView key() const noexcept { return {name_space->name, name()}; }
  std::string_view name() const noexcept { return text_behind(*this, 0, name_size); }
};

struct PodRecord {
  NamespaceRecord* name_space;
  PodRecord* next_in_bucket = nullptr;
  PodRecord* next = nullptr;  // In the namespace, in no order.
  PodRecord* previous = nullptr;
  std::uint64_t resource_version;
  std::uint32_t size;
  std::uint16_t name_size;
  bool marked = false;

  KeyView key() const noexcept { return {name_space->name, name()}; }
  std::string_view name() const noexcept { return text_behind(*this, 0, name_size); }
  std::string_view octets() const noexcept { return text_behind(*this, name_size, size); }
};

// The list of a namespace that starts at `first`.
template <typename Record>
void link(Record*& first, Record& record) noexcept {
  record.next = first;
  record.previous = nullptr;
  if (first != nullptr) {
    first->previous = &record;
  }
  first = &record;
}
template <typename Record>
void unlink(Record*& first, const Record& record) noexcept {
  (record.previous != nullptr ? record.previous->next : first) = record.next;
  if (record.next != nullptr) {
    record.next->previous = record.previous;
  }
}

kube::Pod unpack(const PodRecord& record);

}  // namespace waypost::cache
