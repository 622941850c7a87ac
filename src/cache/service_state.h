// A Service and its slices as a ServiceCache shows them: handles to what is packed there.

#pragma once

#include "kube/objects.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace waypost::cache {

struct PackedService;
struct SliceRecord;

std::shared_ptr<const kube::Service> unpack(const PackedService& packed);
std::shared_ptr<const kube::EndpointSlice> unpack(const SliceRecord& packed);

// Points to an object in the cache, or to nothing.  The object is unpacked when it is first looked
// at, which allocates; a handle that is only compared costs nothing.  Equal handles point to the
// same version of the same object.
//
// Valid while the cache shows it: until on_service() returns, or until the next change.  What it
// was unpacked to lives as long as the handle.  One thread: that of the cache.
template <typename Object, typename Packed>
class ObjectPointer {
 public:
  ObjectPointer() noexcept = default;
  ObjectPointer(std::nullptr_t) noexcept {}
  explicit ObjectPointer(const Packed* packed) noexcept : packed_(packed) {}

  const Object& operator*() const { return *get(); }
  const Object* operator->() const { return get(); }
  const Object* get() const {
    if (object_ == nullptr && packed_ != nullptr) {
      object_ = unpack(*packed_);
    }
    return object_.get();
  }
  // For whoever needs the object beyond that time.
  std::shared_ptr<const Object> share() const {
    (void)get();
    return object_;
  }

  explicit operator bool() const noexcept { return packed_ != nullptr; }
  friend bool operator==(const ObjectPointer& left, const ObjectPointer& right) noexcept {
    return left.packed_ == right.packed_;
  }

 private:
  const Packed* packed_ = nullptr;
  mutable std::shared_ptr<const Object> object_;
};

using ServicePointer = ObjectPointer<kube::Service, PackedService>;
using SlicePointer = ObjectPointer<kube::EndpointSlice, SliceRecord>;

// A Service with its slices at one moment.  `service` is null while only slices are known.
struct ServiceState {
  ServicePointer service;
  std::vector<SlicePointer> slices;  // In the order of their names.
};

}  // namespace waypost::cache
