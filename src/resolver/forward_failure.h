// Why upstreams gave no answer.

#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace waypost::resolver {

enum class FailureKind : std::uint8_t {
  NoUpstream,   // None is configured for the name, or all of them send questions back here.
  Overloaded,   // The bound on questions in flight is reached.
  Timeout,      // Nothing came in time.
  Unreachable,  // The network or the server's host says no, or no connection could be made.
  TlsRefused,   // TLS failed: the server's certificate is not believed, say.
  AllRefused,   // Each upstream refused (REFUSED, NOTIMP…), is lame, or does not know DNS.
  BadAnswers,   // What came was no answer to the question.
  Stopped,      // The forwarder is gone.
};

struct ForwardFailure {
  FailureKind kind = FailureKind::NoUpstream;
  std::string upstream;  // The one that failed so, the last of several; may be empty.

  // Such as "upstream 10.0.0.10:53 timed out", for a client (RFC 8914) and for logs.
  std::string to_text() const;
};

// A whole response in wire form.
using Reply = std::expected<std::vector<std::uint8_t>, ForwardFailure>;

}  // namespace waypost::resolver
