// Where upstreams are and how they are spoken to, as operators write it:
//
//   10.0.0.10, 10.0.0.10:5353, [fd00::10]:53     UDP, and TCP when an answer is truncated
//   tcp://10.0.0.10                              TCP only
//   tls://10.0.0.10#dns.example                  DNS over TLS (RFC 7858), port 853
//
// and the `nameserver` lines of a resolv.conf(5).

#pragma once

#include "base/error.h"
#include "base/ip_address.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::resolver {

enum class Transport : std::uint8_t { Udp, Tcp, Tls };

struct UpstreamAddress {
  Transport transport = Transport::Udp;
  SocketAddress socket;
  std::uint32_t scope = 0;  // The interface of a link-local IPv6 address (RFC 4007, 11), else 0.
  // What the certificate has to be for.  Empty: for the address itself (RFC 8310, 8.1).
  std::string tls_name;
  // Where it was written, for messages: "/etc/resolv.conf line 3".  Empty: an option.
  std::string origin;

  // Reads one of the forms above.  A scope is the name or the number of an interface: an unknown
  // name is refused.  A host name is refused: whom would we ask for its address?
  static Result<UpstreamAddress> from_text(std::string_view text);

  // As an operator would write it, with the port.
  std::string to_text() const;
  // Address and port alone, with the scope: "10.0.0.10:853".
  std::string socket_text() const;

  // True when the same questions could go over the same connections; the origin does not matter.
  bool is_same(const UpstreamAddress& other) const noexcept;
};

// What a resolv.conf(5) says about upstreams.
struct ResolvConf {
  // glibc's MAXNS: it asks no further ones, and so a file that works there works here.
  static constexpr std::size_t MaxServers = 3;

  // None in the file means one at 127.0.0.1 for glibc.  Here it means none: a resolver that asks
  // its own address would ask itself.
  std::vector<UpstreamAddress> upstreams;
  bool rotate = false;                // `options rotate`: ask them in turn.
  std::vector<std::string> problems;  // Lines that were passed over, and why.
};

// Reads `text` as glibc's resolver does (res_init.c): `#` and `;` begin a comment in the first
// column, a keyword is followed by blanks, the first word behind it counts.  Lines that are about
// search lists and options other than `rotate` are somebody else's and passed over.  `path` is for
// messages.
ResolvConf read_resolv_conf(std::string_view text, std::string_view path);

}  // namespace waypost::resolver
