// How often the packet path does what costs: for tests that bound it, and nothing anywhere else.
//
// A test builds the sources that it watches once more, with WAYPOST_TALLY, and says what a note
// does. Without it a note is no instruction.

#pragma once

#include <cstdint>

namespace waypost {

enum class Tally : std::uint8_t {
  Probe,  // A look-up was begun in the index.
  Hash,   // A name was read from its first octet to its last, and hashed.
};

#ifdef WAYPOST_TALLY
void note_for_test(Tally what) noexcept;
#else
inline void note_for_test(Tally) noexcept {}
#endif

}  // namespace waypost
