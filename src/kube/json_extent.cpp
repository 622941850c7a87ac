#include "kube/json_extent.h"

#include <bit>
#include <cstring>

namespace waypost::kube {
namespace {

constexpr std::size_t BlockSize = 64;
constexpr char CaseBit = 0x20;  // '[' and ']' become '{' and '}' with it, and nothing else does.

// The compiler turns these into the vector instructions of the machine.
using Octets = char __attribute__((ext_vector_type(BlockSize)));
using Flags = bool __attribute__((ext_vector_type(BlockSize)));

// Bit i is set where octet i is `wanted`.
std::uint64_t find_all(const Octets& octets, char wanted) noexcept {
  return std::bit_cast<std::uint64_t>(__builtin_convertvector(octets == wanted, Flags));
}

// Bit i is set where an odd number of bits up to i is.
std::uint64_t running_parity(std::uint64_t bits) noexcept {
  for (unsigned shift = 1; shift < BlockSize; shift *= 2) {
    bits ^= bits << shift;
  }
  return bits;
}

}  // namespace

std::size_t JsonExtent::scan_block(const char* block, std::size_t size) noexcept {
  Octets octets;
  std::memcpy(&octets, block, BlockSize);

  std::uint64_t escaped = is_escaped_;
  is_escaped_ = 0;
  // A backslash that is itself escaped escapes nothing.
  for (std::uint64_t left = find_all(octets, '\\') & ~escaped; left != 0;) {
    const int at = std::countr_zero(left);
    const std::uint64_t next = std::uint64_t{2} << at;  // 0 behind the last octet.
    escaped |= next;
    left &= ~(next | (std::uint64_t{1} << at));
    if (static_cast<std::size_t>(at) + 1 == size) {
      is_escaped_ = 1;
    }
  }
  // In strings, their opening quote counts, their closing one does not.
  const std::uint64_t strings = running_parity(find_all(octets, '"') & ~escaped) ^ in_string_;
  in_string_ = (strings >> (BlockSize - 1)) != 0 ? ~std::uint64_t{0} : 0;

  const Octets folded = octets | CaseBit;
  std::uint64_t opening = find_all(folded, '{') & ~strings;
  std::uint64_t closing = find_all(folded, '}') & ~strings;
  const auto closing_count = static_cast<std::size_t>(std::popcount(closing));
  // A block that stays within a child, as most do, need only be counted.
  if (closing_count + 1 < depth_) {
    depth_ += static_cast<std::size_t>(std::popcount(opening)) - closing_count;
    octets_ += size;
    return size;
  }
  for (std::uint64_t both = opening | closing; both != 0; both &= both - 1) {
    const std::uint64_t bit = both & (~both + 1);
    const auto at = static_cast<std::size_t>(std::countr_zero(bit));
    if ((opening & bit) != 0) {
      if (++depth_ == 2) {
        ++child_count_;
        child_begin_ = octets_ + at;
      }
    } else if (--depth_ == 1) {
      child_end_ = octets_ + at + 1;
    } else if (depth_ == 0) {
      is_complete_ = true;
      return at + 1;
    }
  }
  octets_ += size;
  return size;
}

std::size_t JsonExtent::scan(std::string_view piece) noexcept {
  std::size_t done = 0;
  for (; piece.size() - done >= BlockSize; done += BlockSize) {
    const std::size_t size = scan_block(piece.data() + done, BlockSize);
    if (is_complete_) {
      return done + size;
    }
  }
  if (done < piece.size()) {
    char rest[BlockSize];
    std::memset(rest, ' ', BlockSize);
    std::memcpy(rest, piece.data() + done, piece.size() - done);
    done += scan_block(rest, piece.size() - done);
  }
  return done;
}

}  // namespace waypost::kube
