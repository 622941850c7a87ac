#include "records/name_table.h"

#include <cassert>

namespace waypost::records {
namespace {

constexpr std::size_t FirstCapacity = 1024;

}  // namespace

NameTable::NameTable(rcu::RetireList& retired, TellHashes tell_hashes, const void* context)
    : retired_(retired),
      tell_hashes_(tell_hashes),
      context_(context),
      array_(new Array(FirstCapacity)) {}

NameTable::~NameTable() {
  delete array_.load(std::memory_order_relaxed);
}

NameTable::Slot& NameTable::slot_of(std::uint64_t hash, const Entry& entry) const noexcept {
  const Array& array = *array_.load(std::memory_order_relaxed);
  const std::uint64_t wanted = pack(hash, entry);
  std::size_t at = hash & array.mask;
  while (array.slots[at].load(std::memory_order_relaxed) != wanted) {
    assert(array.slots[at].load(std::memory_order_relaxed) != Empty);
    at = (at + 1) & array.mask;
  }
  return array.slots[at];
}

void NameTable::reserve(std::size_t count) {
  const auto fits = [&](std::size_t entries, std::size_t capacity) {
    return entries * 4 <= capacity * 3;
  };
  if (fits(live_ + removed_ + count, capacity())) {
    return;
  }
  // Grows when entries fill it; only cleans up when removed ones do.
  std::size_t fresh = capacity();
  while (!fits(live_ + count + live_ / 4, fresh)) {
    fresh *= 2;
  }
  rebuild(fresh);
}

void NameTable::insert(std::uint64_t hash, const Entry& entry) {
  assert(entry.kind != NodeKind::None);
  assert((reinterpret_cast<std::uint64_t>(entry.node) & ~PointerMask) == 0);
  reserve(1);
  const Array& array = *array_.load(std::memory_order_relaxed);
  std::size_t at = hash & array.mask;
  std::uint64_t slot = array.slots[at].load(std::memory_order_relaxed);
  while (slot != Empty && slot != Removed) {
    at = (at + 1) & array.mask;
    slot = array.slots[at].load(std::memory_order_relaxed);
  }
  removed_ -= slot == Removed ? 1 : 0;
  ++live_;
  array.slots[at].store(pack(hash, entry), std::memory_order_release);
}

void NameTable::replace(std::uint64_t hash, const Entry& entry, const Entry& replacement) noexcept {
  slot_of(hash, entry).store(pack(hash, replacement), std::memory_order_release);
}

void NameTable::remove(std::uint64_t hash, const Entry& entry) noexcept {
  slot_of(hash, entry).store(Removed, std::memory_order_release);
  --live_;
  ++removed_;
}

void NameTable::rebuild(std::size_t capacity) {
  auto fresh = std::make_unique<Array>(capacity);
  std::size_t told = 0;
  const Tell put = [&](std::uint64_t hash, const Entry& entry) {
    std::size_t at = hash & fresh->mask;
    while (fresh->slots[at].load(std::memory_order_relaxed) != Empty) {
      at = (at + 1) & fresh->mask;
    }
    fresh->slots[at].store(pack(hash, entry), std::memory_order_relaxed);
    ++told;
  };
  for_each([&](const Entry& entry) { tell_hashes_(entry, context_, put); });
  assert(told == live_);
  removed_ = 0;
  std::unique_ptr<Array> old(array_.exchange(fresh.release(), std::memory_order_acq_rel));
  const std::size_t bytes = (old->mask + 1) * sizeof(Slot);
  retired_.retire(std::move(old), bytes);
}

}  // namespace waypost::records
