// Counts what a program allocates.  Its source replaces the program's allocator, so that a program
// takes it among its own sources, and only where no sanitizer has put its own allocator there.

#pragma once

#include <cstddef>

namespace waypost::test {

// Calls of operator new by this thread so far.
std::size_t count_allocations() noexcept;
// What they asked for, in octets, freed or not.
std::size_t count_allocated_octets() noexcept;

}  // namespace waypost::test
