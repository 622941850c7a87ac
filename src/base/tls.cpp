#include "base/tls.h"

#include "base/freed_by.h"
#include "base/ip_address.h"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
// Asio's own code for TLS, compiled once for the whole program.
#include <boost/asio/ssl/impl/src.hpp>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

namespace waypost {
namespace {

namespace ssl = boost::asio::ssl;

constexpr std::size_t MaxNamesText = 300;  // Octets of a certificate's names in a message.

using Bio = std::unique_ptr<BIO, FreedBy<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, FreedBy<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using AlternativeNames = std::unique_ptr<GENERAL_NAMES, FreedBy<GENERAL_NAMES_free>>;

Bio reader_of(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The newest of OpenSSL's reasons, which holds nothing of what was read.
std::string newest_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason != nullptr ? reason : "no reason is known";
}

// OpenSSL would ask for a password on the terminal.
int no_password(char* /*buffer*/, int /*size*/, int /*is_writing*/, void* /*data*/) {
  return -1;
}

std::unexpected<Error> refuse(std::string message) {
  ERR_clear_error();
  return failure(ErrorKind::InvalidInput, std::move(message));
}

// Calls `use(certificate)` for each certificate in `pem`; returns how many there were.  Fails at
// one that is damaged, or that `use` refuses.
template <typename Use>
Result<std::size_t> each_certificate(std::string_view pem, Use use) {
  const Bio bio = reader_of(pem);
  for (std::size_t count = 0;; ++count) {
    ERR_clear_error();
    const Certificate certificate(PEM_read_bio_X509_AUX(bio.get(), nullptr, no_password, nullptr));
    if (!certificate) {
      const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
      if (!is_end) {
        return refuse("certificate " + std::to_string(count + 1) +
                      " is damaged: " + newest_reason());
      }
      ERR_clear_error();
      return count;
    }
    if (!use(certificate.get(), count)) {
      return refuse("certificate " + std::to_string(count + 1) +
                    " cannot be used: " + newest_reason());
    }
  }
}

Result<void> trust(SSL_CTX* context, const std::string& authority) {
  if (authority.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return {};
  }
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  const auto count = each_certificate(authority, [&](X509* certificate, std::size_t) {
    return X509_STORE_add_cert(store, certificate) == 1;
  });
  if (!count) {
    return std::unexpected(with_context(count.error(), "certificate authority"));
  }
  if (*count == 0) {
    return refuse("certificate authority: no certificate in PEM is found");
  }
  return {};
}

Result<void> use_certificate(SSL_CTX* context, const TlsMaterial& material) {
  if (material.certificate.empty() && material.key.empty()) {
    return {};
  }
  const auto count = each_certificate(material.certificate, [&](X509* certificate, std::size_t at) {
    if (at == 0) {
      return SSL_CTX_use_certificate(context, certificate) == 1;
    }
    return SSL_CTX_add1_chain_cert(context, certificate) == 1;
  });
  if (!count) {
    return std::unexpected(with_context(count.error(), "client certificate"));
  }
  if (*count == 0) {
    return refuse("client certificate: no certificate in PEM is found");
  }
  ERR_clear_error();
  const Bio bio = reader_of(material.key);
  const PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) {
    const bool is_encrypted = material.key.find("ENCRYPTED") != std::string::npos;
    return refuse(is_encrypted ? "client key: it is encrypted; expected one without a password"
                               : "client key: no private key in PEM is found");
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return refuse("client key: it does not belong to the client certificate");
  }
  return {};
}

// ---------------------------------------------------------------------------------------------
// What a certificate says, for messages.

// Printable ASCII only: a stranger may have written it.
std::string printable(std::string_view text) {
  std::string result(text.substr(0, MaxNamesText));
  std::replace_if(result.begin(), result.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return result;
}

std::string to_text(const X509_NAME* name) {
  const Bio bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_ONELINE);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return size > 0 ? printable({text, static_cast<std::size_t>(size)}) : "(no name)";
}

std::string to_text(const ASN1_TIME* time) {
  const Bio bio(BIO_new(BIO_s_mem()));
  ASN1_TIME_print_ex(bio.get(), time, ASN1_DTFLGS_ISO8601);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "an unknown time";
}

std::string to_text(const GENERAL_NAME& name) {
  int type = 0;
  const void* const value = GENERAL_NAME_get0_value(&name, &type);
  if (type != GEN_DNS && type != GEN_IPADD) {
    return {};
  }
  const auto* const string = static_cast<const ASN1_STRING*>(value);
  const Bytes octets(ASN1_STRING_get0_data(string),
                     static_cast<std::size_t>(ASN1_STRING_length(string)));
  if (type == GEN_DNS) {
    return printable(as_text(octets));
  }
  return octets.size() == 4 || octets.size() == 16 ? IpAddress::from_octets(octets).to_text() : "";
}

// "kubernetes, kubernetes.default, 10.96.0.1": what the certificate is for.
std::string names_of(const X509* certificate) {
  const AlternativeNames names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string text;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const std::string name = to_text(*sk_GENERAL_NAME_value(names.get(), i));
    if (text.size() + name.size() > MaxNamesText) {
      return text + ", ...";
    }
    text += name.empty() || text.empty() ? name : ", " + name;
  }
  return text.empty() ? "no name at all" : text;
}

std::string describe_problem(int error, const X509* certificate, const std::string& name,
                             const TlsAdvice& advice) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the certificate of '" + to_text(X509_get_subject_name(certificate)) +
             "' expired at " + to_text(X509_get0_notAfter(certificate)) +
             "; renew it, or mend this machine's clock";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the certificate of '" + to_text(X509_get_subject_name(certificate)) +
             "' is not valid before " + to_text(X509_get0_notBefore(certificate)) +
             "; mend this machine's clock";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "the server's certificate is for " + names_of(certificate) + ", not for " + name +
             "; " + std::string(advice.wrong_name);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "no known certificate authority vouches for the server's certificate, which was "
             "issued by '" +
             to_text(X509_get_issuer_name(certificate)) + "'; " +
             std::string(advice.unknown_authority);
    default:
      return std::string("the server's certificate is refused: ") +
             X509_verify_cert_error_string(error);
  }
}

bool is_client_refused(int reason) noexcept {
  constexpr std::array Alerts{SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
                              SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
                              SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
                              SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
                              SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
                              SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
                              SSL_R_TLSV1_ALERT_UNKNOWN_CA,
                              SSL_R_TLSV1_ALERT_ACCESS_DENIED};
  return std::find(Alerts.begin(), Alerts.end(), reason) != Alerts.end();
}

std::optional<int> reason_of(const boost::system::error_code& code) noexcept {
  if (code.category() != boost::asio::error::get_ssl_category()) {
    return std::nullopt;
  }
  return ERR_GET_REASON(static_cast<unsigned long>(code.value()));
}

}  // namespace

Result<TlsContext> make_tls_context(const TlsMaterial& material) {
  TlsContext context;
  try {
    context = std::make_shared<ssl::context>(ssl::context::tls_client);
  } catch (const boost::system::system_error& error) {
    return failure(ErrorKind::System, std::string("TLS cannot be set up: ") + error.what());
  }
  SSL_CTX* const raw = context->native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_verify(raw, material.verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(raw), X509_V_FLAG_PARTIAL_CHAIN);
  if (!material.protocol.empty()) {
    const std::string protocols = static_cast<char>(material.protocol.size()) + material.protocol;
    SSL_CTX_set_alpn_protos(raw, reinterpret_cast<const unsigned char*>(protocols.data()),
                            static_cast<unsigned>(protocols.size()));
  }
  if (material.verifies) {
    if (auto trusted = trust(raw, material.authority); !trusted) {
      return std::unexpected(trusted.error());
    }
  }
  if (auto used = use_certificate(raw, material); !used) {
    return std::unexpected(used.error());
  }
  return context;
}

PeerCheck::PeerCheck(std::string name, const TlsAdvice& advice)
    : name_(std::move(name)), advice_(advice) {}

Result<void> PeerCheck::prepare(ssl_st* connection) const {
  X509_VERIFY_PARAM* const rules = SSL_get0_param(connection);
  if (IpAddress::from_text(name_)) {
    if (X509_VERIFY_PARAM_set1_ip_asc(rules, name_.c_str()) != 1) {
      return refuse("'" + name_ + "' cannot be looked for in a certificate");
    }
    return {};
  }
  X509_VERIFY_PARAM_set_hostflags(
      rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (X509_VERIFY_PARAM_set1_host(rules, name_.data(), name_.size()) != 1 ||
      SSL_set_tlsext_host_name(connection, name_.c_str()) != 1) {
    return refuse("'" + name_ + "' cannot be looked for in a certificate");
  }
  return {};
}

bool PeerCheck::look_at(bool is_good, x509_store_ctx_st* chain) {
  if (!is_good && problem_.empty()) {
    const X509* const certificate = X509_STORE_CTX_get_current_cert(chain);
    const int error = X509_STORE_CTX_get_error(chain);
    problem_ = certificate != nullptr ? describe_problem(error, certificate, name_, advice_)
                                      : X509_verify_cert_error_string(error);
  }
  return is_good;
}

std::string PeerCheck::explain(const boost::system::error_code& code) const {
  if (!problem_.empty()) {
    return problem_;
  }
  if (code == ssl::error::stream_truncated) {
    return "the connection was closed";
  }
  const auto reason = reason_of(code);
  if (!reason) {
    return code.message();
  }
  if (is_client_refused(*reason)) {
    return "the server refuses this client's certificate, or wants one: " + code.message();
  }
  switch (*reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      return "the server does not speak TLS; " + std::string(advice_.no_tls);
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "the server speaks no version of TLS from 1.2 on";
    default:
      return "TLS: " + code.message();
  }
}

TlsRefusal PeerCheck::refusal(const boost::system::error_code& code) const noexcept {
  if (!problem_.empty()) {
    return TlsRefusal::OfServer;
  }
  const auto reason = reason_of(code);
  return reason && is_client_refused(*reason) ? TlsRefusal::OfClient : TlsRefusal::None;
}

}  // namespace waypost
