#include "base/checksum.h"

// The state's layout is public for static linking only; this is the one file that knows it.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

namespace waypost {

struct Checksum::State {
  XXH3_state_t xxh3;
};

Checksum::Checksum() : state_(std::make_unique<State>()) {
  XXH3_64bits_reset(&state_->xxh3);
}
Checksum::~Checksum() = default;

void Checksum::add(Bytes bytes) noexcept {
  XXH3_64bits_update(&state_->xxh3, bytes.data(), bytes.size());
}

std::uint64_t Checksum::value() const noexcept {
  return XXH3_64bits_digest(&state_->xxh3);
}

}  // namespace waypost
