// A hash table from owner names to what stands there, for many readers that never wait and one
// writer.
//
// Open addressing with linear probing over one array of 64-bit slots.  A slot packs a pointer, its
// kind and 16 bits of the name's hash, so that a miss is usually decided without touching anything
// else. Names are not stored: who looks up verifies a candidate against the node that it points to.
//
// Not here: the nodes (records/nodes.h), freeing them (base/rcu.h: the writer unlinks, then
// retires).

#pragma once

#include "base/rcu.h"
#include "base/tally.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace waypost::records {

// What a slot's pointer points to.
enum class NodeKind : std::uint8_t {
  None,                 // Nothing: an empty slot.
  Service,              // ServiceNode, at web.shop.svc.ZONE
  NamespaceOfServices,  // NamespaceNode, at shop.svc.ZONE
  NamespaceOfPods,      // NamespaceNode, at shop.pod.ZONE
  Pod,                  // PodNode, at 10-244-1-5.shop.pod.ZONE
  ClusterAddress,       // ServiceNode, at the reverse name of a cluster IP that is its alone
  EndpointAddress,      // ServiceNode, at that of an address that one of its endpoint names has
  Address,              // AddressNode, at that of any other address
  Branch,               // BranchNode, at a reverse name above addresses
  Fixed,                // FixedNode: names that every cluster zone has
};

// A slot's content.  The node is borrowed: valid until the reader's section ends.
struct Entry {
  NodeKind kind = NodeKind::None;
  const void* node = nullptr;

  template <typename Node>
  const Node& as() const noexcept {
    return *static_cast<const Node*>(node);
  }
  friend bool operator==(const Entry&, const Entry&) = default;
};

// Thread safety: one writer; any number of readers, each inside an rcu::ReadSection.
class NameTable {
  struct Array;

 public:
  // Tells where entries stand, needed when the table grows: called for each entry, calls `tell`
  // with the hash of its name, or of several entries' names, so that in all each entry is told
  // once. Slots do not say: an address that stands for a Service is known to the Service alone.
  using Tell = std::function<void(std::uint64_t hash, const Entry& entry)>;
  using TellHashes = void (*)(const Entry& entry, const void* context, const Tell& tell);

  // `retired` outlives the table; `context` is handed to `tell_hashes`.
  NameTable(rcu::RetireList& retired, TellHashes tell_hashes, const void* context);
  ~NameTable();
  NameTable(const NameTable&) = delete;
  NameTable& operator=(const NameTable&) = delete;

  // A look-up under way.  A reader's is good inside the section that it was begun in, the writer's
  // until the table changes.
  class Probe {
   private:
    friend class NameTable;
    const Array* array_;
    std::uint64_t hash_;
    std::size_t at_;
  };

  // Begins to look for what stands under `hash`.  Reader or writer.
  Probe begin(std::uint64_t hash) const noexcept {
    note_for_test(Tally::Probe);
    Probe probe;
    probe.array_ = array_.load(std::memory_order_acquire);
    probe.hash_ = hash;
    probe.at_ = hash & probe.array_->mask;
    return probe;
  }
  // Has the slot that next() looks at first brought into the CPU's cache.
  static void prefetch(const Probe& probe) noexcept {
    __builtin_prefetch(&probe.array_->slots[probe.at_]);
  }
  // Returns the next entry whose slot has the hash's high bits, kind None when there is no more.
  // The steps are bounded by the table's fill, which is at most three quarters.
  static Entry next(Probe& probe) noexcept {
    const Array& array = *probe.array_;
    for (std::size_t at = probe.at_;; at = (at + 1) & array.mask) {
      const std::uint64_t slot = array.slots[at].load(std::memory_order_acquire);
      if (slot == Empty) {
        probe.at_ = at;
        return {};
      }
      if (slot >> TagShift == probe.hash_ >> TagShift && slot != Removed) {
        probe.at_ = (at + 1) & array.mask;
        return unpack(slot);
      }
    }
  }

  // Returns the first entry under `hash` for which `is_wanted(entry)` is true; kind None when there
  // is none.
  template <typename Predicate>
  Entry find(std::uint64_t hash, Predicate&& is_wanted) const noexcept {
    Probe probe = begin(hash);
    Entry entry = next(probe);
    while (entry.kind != NodeKind::None && !is_wanted(entry)) {
      entry = next(probe);
    }
    return entry;
  }

  // Makes room for `count` more entries, so that as many insert() do not move the others.  Writer.
  void reserve(std::size_t count);

  // Adds an entry.  REQUIRES: no equal entry stands under `hash`; the node is aligned to 16, as
  // operator new aligns.  Writer.
  void insert(std::uint64_t hash, const Entry& entry);
  // Puts `replacement` where `entry` stands.  REQUIRES: it stands there.  Writer.
  void replace(std::uint64_t hash, const Entry& entry, const Entry& replacement) noexcept;
  // REQUIRES: `entry` stands under `hash`.  Writer.
  void remove(std::uint64_t hash, const Entry& entry) noexcept;

  // Calls `visit(entry)` for each entry, in no order.  Writer.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    const Array& array = *array_.load(std::memory_order_relaxed);
    for (std::size_t at = 0; at <= array.mask; ++at) {
      const std::uint64_t slot = array.slots[at].load(std::memory_order_relaxed);
      if (slot != Empty && slot != Removed) {
        visit(unpack(slot));
      }
    }
  }

  std::size_t size() const noexcept { return live_; }
  std::size_t capacity() const noexcept { return array_.load(std::memory_order_relaxed)->mask + 1; }

 private:
  using Slot = std::atomic<std::uint64_t>;
  struct Array {
    explicit Array(std::size_t capacity)
        : mask(capacity - 1), slots(std::make_unique<Slot[]>(capacity)) {}
    std::size_t mask;  // Capacity, a power of two, less one.
    std::unique_ptr<Slot[]> slots;
  };

  // Slot layout: 16 bits of hash, 44 bits of pointer (user-space pointers have 47, nodes are
  // aligned to 16 and give four back), 4 bits of kind.  Kind is never 0 in use, so neither value
  // below collides.
  static constexpr std::uint64_t Empty = 0;
  static constexpr std::uint64_t Removed = ~std::uint64_t{0};
  static constexpr unsigned TagShift = 48;
  static constexpr std::uint64_t PointerMask = 0x0000fffffffffff0ULL;

  static std::uint64_t pack(std::uint64_t hash, const Entry& entry) noexcept {
    return (hash & ~std::uint64_t{0} << TagShift) | reinterpret_cast<std::uint64_t>(entry.node) |
           static_cast<std::uint64_t>(entry.kind);
  }
  static Entry unpack(std::uint64_t slot) noexcept {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a packed slot is the point of this table.
    return {static_cast<NodeKind>(slot & 0xf), reinterpret_cast<const void*>(slot & PointerMask)};
  }
  Slot& slot_of(std::uint64_t hash, const Entry& entry) const noexcept;
  void rebuild(std::size_t capacity);

  rcu::RetireList& retired_;
  TellHashes tell_hashes_;
  const void* context_;
  std::atomic<Array*> array_;
  std::size_t live_ = 0;     // Entries.
  std::size_t removed_ = 0;  // Slots that once held one.
};

}  // namespace waypost::records
