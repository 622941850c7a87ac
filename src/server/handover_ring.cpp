#include "server/handover_ring.h"

#include <cstring>

namespace waypost::server {

bool HandoverRing::push(const ReturnPath& path, Bytes request) noexcept {
  const std::uint64_t position = written_.load(std::memory_order_relaxed);
  const std::size_t free =
      Capacity - static_cast<std::size_t>(position - read_.load(std::memory_order_acquire));
  const std::size_t at = position % Capacity;
  const std::size_t size = entry_size(request.size());
  // An entry does not wrap around: what is left before the end is then a gap.
  const std::size_t gap = at + size > Capacity ? Capacity - at : 0;
  if (size + gap > free) {
    return false;
  }
  if (gap != 0) {
    std::memcpy(octets_.get() + at, &Gap, sizeof Gap);
  }
  std::uint8_t* to = octets_.get() + (gap != 0 ? 0 : at);
  const Head head{static_cast<std::uint32_t>(request.size()), path};
  std::memcpy(to, &head, sizeof head);
  if (!request.empty()) {
    std::memcpy(to + sizeof head, request.data(), request.size());
  }
  written_.store(position + gap + size, std::memory_order_release);
  return true;
}

HandoverRing::Entry HandoverRing::entry_at(std::uint64_t position) const noexcept {
  const std::size_t at = position % Capacity;
  const std::uint8_t* from = octets_.get() + at;
  std::uint32_t request_size = 0;
  std::memcpy(&request_size, from, sizeof request_size);
  if (request_size == Gap) {
    return {true, Capacity - at, nullptr, {}};
  }
  // Entries begin at multiples of their alignment, in memory that operator new aligned.
  const auto* head = reinterpret_cast<const Head*>(from);
  return {false, entry_size(request_size), &head->path, {from + sizeof(Head), request_size}};
}

}  // namespace waypost::server
