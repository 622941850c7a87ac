// SipHash-2-4: a keyed hash that nobody without the key can predict (Aumasson, Bernstein 2012).
//
// Not here: hashing for tables (dns/name_hash.h), where speed counts for more.

#pragma once

#include "base/bytes.h"

#include <array>
#include <cstdint>

namespace waypost::dns {

// The 64-bit hash; its octets in the algorithm's own order are those of the number, lowest first.
std::uint64_t siphash24(const std::array<std::uint8_t, 16>& key, Bytes message) noexcept;

}  // namespace waypost::dns
