// TLS as a client: whom to trust, what to show, and why a handshake failed, in words.
//
// With base/tls_stream.h this is the door to OpenSSL's TLS.

#pragma once

#include "base/error.h"

#include <boost/system/error_code.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace boost::asio::ssl {
class context;
}
// OpenSSL's own names.
struct ssl_st;
struct x509_store_ctx_st;

namespace waypost {

struct TlsMaterial {
  std::string authority;    // Certificates in PEM that vouch for servers; empty: the system's.
  std::string certificate;  // The client's in PEM, with its chain; empty: none.
  std::string key;          // Of the certificate, in PEM, not encrypted.
  bool verifies = true;     // False: any server is believed.
  std::string protocol;     // What is spoken inside (ALPN, RFC 7301); empty: nothing is said.

  friend bool operator==(const TlsMaterial&, const TlsMaterial&) = default;
};

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

// Returns a context for TLS 1.2 and newer.  As client-go does, a certificate of `authority` is
// trusted whether it signed itself or not.  Fails with InvalidInput when something of `material` is
// not PEM, is encrypted, or does not fit together.
Result<TlsContext> make_tls_context(const TlsMaterial& material);

// Whose certificate was refused: others may help.
enum class TlsRefusal : std::uint8_t { None, OfServer, OfClient };

// What helps, in the words of what the operator has set: the ends of sentences, literals.
struct TlsAdvice {
  std::string_view wrong_name;
  std::string_view unknown_authority;
  std::string_view no_tls;
};

// What one connection expects of its server's certificate, and what was wrong with that.
class PeerCheck {
 public:
  // `name` is what the certificate has to be for: a host name (RFC 9525: among its alternative
  // names, not its subject) or an IP address.
  PeerCheck(std::string name, const TlsAdvice& advice);

  // Prepares a connection before its handshake: the name to check, and SNI for a host name.
  Result<void> prepare(ssl_st* ssl) const;

  // Looks at one certificate of the chain; `is_good` is OpenSSL's verdict, which is returned.
  bool look_at(bool is_good, x509_store_ctx_st* chain);

  // Says why the connection failed with `code`, and what helps.
  std::string explain(const boost::system::error_code& code) const;

  // Who refused whom, if that is why the connection failed with `code`.
  TlsRefusal refusal(const boost::system::error_code& code) const noexcept;

 private:
  std::string name_;
  TlsAdvice advice_;
  std::string problem_;
};

}  // namespace waypost
