// Where an API server is: its address, as a URL says it.
//
// Not here: who it is talked to as (kube/api_access.h).

#pragma once

#include "base/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace waypost::kube {

struct ApiEndpoint {
  enum class Transport : std::uint8_t { Plain, Tls, UnixSocket };

  // Reads one of
  //   https://HOST[:PORT][/PREFIX]   TLS; port 443 unless given
  //   http://HOST[:PORT][/PREFIX]    no TLS; port 80 unless given
  //   unix:///PATH                   a socket in the file system; http+unix:///PATH is the same
  //   http+unix://%2FPATH[/PREFIX]   the same with the path as an encoded host
  // HOST is a name, an IPv4 address, or an IPv6 address in brackets.  Refuses other schemes, a user
  // or a password, a query and a fragment.  Messages repeat at most the scheme and the host.
  static Result<ApiEndpoint> from_text(std::string_view text);

  // What stands in a Host header (RFC 9110, 7.2): "10.96.0.1:443", "[::1]:6443", "localhost".
  std::string authority() const;
  // For messages: "https://10.96.0.1:443", "unix:///run/api.sock".  The prefix is left out.
  std::string to_text() const;
  // True for a Unix socket, a loopback address and the name localhost: what is sent does not leave
  // this machine.
  bool is_local() const noexcept;

  Transport transport = Transport::Tls;
  std::string host;  // A name, or an address without brackets; empty for a Unix socket.
  std::uint16_t port = 443;
  std::string path;  // Of a Unix socket, absolute; empty for others.
  std::string
      prefix;  // What every target begins with: "/clusters/a"; empty or without / at its end.

  friend bool operator==(const ApiEndpoint&, const ApiEndpoint&) = default;
};

}  // namespace waypost::kube
