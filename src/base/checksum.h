// The door to xxHash (XXH3, 64 bits): tells damaged octets from whole ones, at the speed of memory.
//
// Not here: protection against somebody who wants to deceive, which takes a secret.

#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <memory>

namespace waypost {

// Adds up octets piece by piece; how they are cut does not matter.  One thread at a time.
class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;

  void add(Bytes bytes) noexcept;

  // The checksum of what was added so far.
  std::uint64_t value() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace waypost
