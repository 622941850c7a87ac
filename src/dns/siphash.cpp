#include "dns/siphash.h"

#include "dns/name_hash.h"

#include <bit>
#include <cstddef>

namespace waypost::dns {

namespace {

struct State {
  std::uint64_t a;
  std::uint64_t b;
  std::uint64_t c;
  std::uint64_t d;

  void mix(int rounds) noexcept {
    for (int i = 0; i < rounds; ++i) {
      a += b;
      c += d;
      b = std::rotl(b, 13) ^ a;
      d = std::rotl(d, 16) ^ c;
      a = std::rotl(a, 32);
      c += b;
      a += d;
      b = std::rotl(b, 17) ^ c;
      d = std::rotl(d, 21) ^ a;
      c = std::rotl(c, 32);
    }
  }
  void absorb(std::uint64_t word) noexcept {
    d ^= word;
    mix(2);
    a ^= word;
  }
};

}  // namespace

std::uint64_t siphash24(const std::array<std::uint8_t, 16>& key, Bytes message) noexcept {
  const std::uint64_t low = detail::load_word(key.data());
  const std::uint64_t high = detail::load_word(key.data() + 8);
  // The algorithm's constants: "somepseudorandomlygeneratedbytes".
  State state{low ^ 0x736f6d6570736575ULL, high ^ 0x646f72616e646f6dULL,
              low ^ 0x6c7967656e657261ULL, high ^ 0x7465646279746573ULL};
  const std::size_t whole = message.size() & ~std::size_t{7};
  for (std::size_t at = 0; at < whole; at += 8) {
    state.absorb(detail::load_word(message.data() + at));
  }
  const std::uint64_t tail = detail::load_tail(message.data(), message.size(), message.size() & 7);
  state.absorb(tail | (std::uint64_t{message.size() & 0xff} << 56));
  state.c ^= 0xff;
  state.mix(4);
  return state.a ^ state.b ^ state.c ^ state.d;
}

}  // namespace waypost::dns
