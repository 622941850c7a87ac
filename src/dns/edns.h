// The OPT record of a response (RFC 6891): size, extended rcode, and the options this server
// speaks.

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"
#include "dns/query.h"
#include "dns/types.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace waypost::dns {

// Server cookies as RFC 9018, 4 makes them: SipHash-2-4 over client cookie, version, time and
// address. Distinct objects: any thread.  A const object may be shared.
class CookieMaker {
 public:
  using Secret = std::array<std::uint8_t, 16>;
  explicit CookieMaker(const Secret& secret) noexcept : secret_(secret) {}

  // `now` is in Unix seconds.  The same secret gives the same cookies on every replica.
  std::array<std::uint8_t, 16> make(Bytes client_cookie, const IpAddress& client,
                                    std::uint32_t now) const noexcept;
  // True for a cookie of ours that is at most an hour old and at most five minutes ahead (RFC
  // 9018, 4.3).
  bool is_valid(Bytes server_cookie, Bytes client_cookie, const IpAddress& client,
                std::uint32_t now) const noexcept;

 private:
  Secret secret_;
};

// What goes into the OPT record of one response.  Views are borrowed.
struct OptContent {
  std::uint16_t udp_size = 1232;                // What this server is ready to receive, in octets.
  Rcode rcode = Rcode::NoError;                 // The high eight bits are carried here.
  bool dnssec_ok = false;                       // Copied from the query (RFC 3225, 3).
  Bytes nsid;                                   // Empty: no NSID option.
  Bytes cookie;                                 // Client and server cookie, 24 octets; empty: none.
  std::optional<ExtendedError> extended_error;  // RFC 8914
  std::string_view extended_text;               // UTF-8, with extended_error only.
};

// The most octets that write_opt() gives, for an NSID and an extended text of these sizes.
constexpr std::size_t opt_size(std::size_t nsid_size, bool cookie, bool error,
                               std::size_t text_size) {
  return 11 + (nsid_size != 0 ? 4 + nsid_size : 0) + (cookie ? 28 : 0) +
         (error ? 6 + text_size : 0);
}

// Writes the whole OPT record into `out`; returns its size, 0 when it does not fit.
std::size_t write_opt(const OptContent& content, MutableBytes out) noexcept;

}  // namespace waypost::dns
