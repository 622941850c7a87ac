#include "dns/edns.h"

#include "dns/name_hash.h"
#include "dns/siphash.h"

#include <algorithm>
#include <cstddef>

namespace waypost::dns {

namespace {

// RFC 9018, 4: version, three reserved octets, time, hash.
constexpr std::uint8_t CookieVersion = 1;
constexpr std::size_t TimeAt = 4;
constexpr std::size_t HashAt = 8;
constexpr std::size_t ServerCookieSize = 16;
constexpr std::size_t ClientCookieSize = 8;

constexpr std::int32_t MaxAge = 3600;   // Seconds.
constexpr std::int32_t MaxAhead = 300;  // Seconds.

// `head` is what stands before the hash.
std::uint64_t hash_cookie(const CookieMaker::Secret& secret, Bytes client_cookie, Bytes head,
                          const IpAddress& client) noexcept {
  std::array<std::uint8_t, ClientCookieSize + HashAt + 16> input;
  const Bytes address = client.octets();
  auto end = std::copy_n(client_cookie.begin(), ClientCookieSize, input.begin());
  end = std::copy_n(head.begin(), HashAt, end);
  end = std::copy(address.begin(), address.end(), end);
  return siphash24(secret, {input.begin(), end});
}

}  // namespace

std::array<std::uint8_t, 16> CookieMaker::make(Bytes client_cookie, const IpAddress& client,
                                               std::uint32_t now) const noexcept {
  std::array<std::uint8_t, ServerCookieSize> cookie{CookieVersion};
  store_u32(cookie.data() + TimeAt, now);
  detail::store_word(cookie.data() + HashAt, hash_cookie(secret_, client_cookie, cookie, client));
  return cookie;
}

bool CookieMaker::is_valid(Bytes server_cookie, Bytes client_cookie, const IpAddress& client,
                           std::uint32_t now) const noexcept {
  if (server_cookie.size() != ServerCookieSize || client_cookie.size() != ClientCookieSize ||
      server_cookie[0] != CookieVersion) {
    return false;
  }
  // Serial number arithmetic, so that the year 2106 is no border (RFC 9018, 4.3; RFC 1982).
  const auto age = static_cast<std::int32_t>(now - load_u32(server_cookie.data() + TimeAt));
  if (age > MaxAge || age < -MaxAhead) {
    return false;
  }
  // The reserved octets are hashed as they came.  Compared as one number: no early end to measure.
  return detail::load_word(server_cookie.data() + HashAt) ==
         hash_cookie(secret_, client_cookie, server_cookie, client);
}

}  // namespace waypost::dns
