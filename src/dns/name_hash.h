// Lower-casing and hashing of a name in wire form, eight octets at a time.  Inside this room only:
// dns/name.h and dns/query.h offer the results.
//
// The hash multiplies 64 by 64 bits to 128 and folds, sixteen octets per step, over words that are
// zero behind the name's end.  Wire names are prefix-free, so that filling loses nothing.

#pragma once

#include "base/bytes.h"
#include "base/tally.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace waypost::dns::detail {

// Random for each process; set before main() and constant from then on, but for tests.
struct HashKey {
  std::uint64_t start;
  std::uint64_t even;
  std::uint64_t odd;
};
extern HashKey hash_key;

// The octets at `from` as a number whose low octet comes first.
inline std::uint64_t load_word(const std::uint8_t* from) noexcept {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  if constexpr (std::endian::native == std::endian::big) {
    word = __builtin_bswap64(word);
  }
  return word;
}
inline void store_word(std::uint8_t* to, std::uint64_t word) noexcept {
  if constexpr (std::endian::native == std::endian::big) {
    word = __builtin_bswap64(word);
  }
  std::memcpy(to, &word, sizeof word);
}

// The last `count` (0..7) of the `size` octets at `from`, which is all that may be read.
inline std::uint64_t load_tail(const std::uint8_t* from, std::size_t size,
                               std::size_t count) noexcept {
  if (count == 0) {
    return 0;
  }
  if (size >= 8) {
    return load_word(from + size - 8) >> (8 * (8 - count));
  }
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < count; ++i) {
    word |= std::uint64_t{from[size - count + i]} << (8 * i);
  }
  return word;
}

// Lower-cases the ASCII letters among eight octets.  A length octet is at most 63, below 'A', so
// that whole wire names can be lowered without a look at their labels.
constexpr std::uint64_t lower_word(std::uint64_t word) noexcept {
  constexpr std::uint64_t Each = 0x0101010101010101ULL;
  const std::uint64_t low_bits = word & (Each * 0x7f);
  const std::uint64_t from_a = low_bits + Each * (0x80 - 'A');  // High bit: at least 'A'.
  const std::uint64_t past_z = low_bits + Each * (0x7f - 'Z');  // High bit: more than 'Z'.
  const std::uint64_t upper = (from_a ^ past_z) & ~word & (Each * 0x80);
  return word | (upper >> 2);
}

inline std::uint64_t multiply_fold(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Calls word(index, value) for each eight octets of the name, lowered by it, and returns their
// hash.
template <typename Word>
inline std::uint64_t hash_words(const std::uint8_t* name, std::size_t size, Word word) noexcept {
  note_for_test(Tally::Hash);
  const HashKey key = hash_key;
  std::uint64_t hash = key.start;
  std::size_t at = 0;
  for (; at + 16 <= size; at += 16) {
    const std::uint64_t first = word(at, load_word(name + at));
    const std::uint64_t second = word(at + 8, load_word(name + at + 8));
    hash = multiply_fold(first ^ key.even, second ^ hash);
  }
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  const std::size_t left = size - at;
  if (left >= 8) {
    first = word(at, load_word(name + at));
    second = word(at + 8, load_tail(name, size, left - 8));
  } else {
    first = word(at, load_tail(name, size, left));
  }
  hash = multiply_fold(first ^ key.even, second ^ hash);
  return multiply_fold(hash ^ key.odd, size ^ key.start);
}

// Copies the name of `size` (1..255) octets in lower case to `to`, which holds 256 octets of which
// those behind the name may be written too.  Returns hash_name() of it.
inline std::uint64_t lower_and_hash(const std::uint8_t* name, std::size_t size,
                                    std::uint8_t* to) noexcept {
  return hash_words(name, size, [to](std::size_t at, std::uint64_t word) noexcept {
    const std::uint64_t lowered = lower_word(word);
    store_word(to + at, lowered);
    return lowered;
  });
}

}  // namespace waypost::dns::detail
