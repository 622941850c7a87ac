// A stream with TLS whose server is checked.
//
// Not here: whom to trust and the words for what goes wrong (base/tls.h).

#pragma once

#include "base/error.h"
#include "base/tls.h"

#include <boost/asio/ssl/stream.hpp>

namespace waypost {

// Has `check` look at the server in the handshake that follows, unless the stream's context says
// that any server is believed.  `check` is borrowed for as long as the stream lives.
template <typename Layer>
Result<void> check_peer(boost::asio::ssl::stream<Layer>& stream, PeerCheck& check) {
  if (auto prepared = check.prepare(stream.native_handle()); !prepared) {
    return prepared;
  }
  boost::system::error_code code;
  if (SSL_get_verify_mode(stream.native_handle()) != SSL_VERIFY_NONE) {
    stream.set_verify_callback(
        [&check](bool is_good, boost::asio::ssl::verify_context& chain) {
          return check.look_at(is_good, chain.native_handle());
        },
        code);
  }
  return code ? failure(ErrorKind::System, code.message()) : Result<void>();
}

}  // namespace waypost
