// Objects that end in more octets than their type says, in one allocation.
//
// Private to the room: many small objects are what an index is made of, and each allocation costs
// its own header and rounding.

#pragma once

#include <cstddef>
#include <new>
#include <type_traits>

namespace waypost::records {

inline void* allocate_block(std::size_t size) {
  return ::operator new(size);
}

// The deleter of what was made in allocate_block().
struct FreeBlock {
  template <typename T>
  void operator()(T* object) const noexcept {
    static_assert(std::is_trivially_destructible_v<T>);
    ::operator delete(const_cast<std::remove_const_t<T>*>(object));
  }
};

}  // namespace waypost::records
