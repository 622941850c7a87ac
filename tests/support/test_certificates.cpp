#include "support/test_certificates.h"

#include "base/freed_by.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstdint>
#include <stdexcept>

namespace waypost::test {
namespace {

using Bio = std::unique_ptr<BIO, FreedBy<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, FreedBy<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, FreedBy<X509_EXTENSION_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;

void require(bool holds) {
  if (!holds) {
    throw std::runtime_error("OpenSSL refuses to make a certificate");
  }
}

std::string content_of(const Bio& bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string to_pem(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_X509(bio.get(), certificate) == 1);
  return content_of(bio);
}

std::string to_pem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return content_of(bio);
}

PrivateKey make_key() {
  PrivateKey key(EVP_EC_gen("P-256"));
  require(key != nullptr);
  return key;
}

void set_name(X509_NAME* name, const std::string& common_name) {
  require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(common_name.c_str()),
                                     -1, -1, 0) == 1);
}

void add_extension(X509* certificate, int kind, const std::string& value) {
  const Extension extension(X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str()));
  require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

long seconds(std::chrono::hours time) {
  return static_cast<long>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

// A certificate for `key` that nobody has signed yet.
Certificate make_certificate(const CertificateWish& wish, EVP_PKEY* key) {
  static std::atomic<std::uint32_t> serial{1};
  Certificate certificate(X509_new());
  require(certificate != nullptr);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), static_cast<long>(serial++));
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), seconds(wish.valid_from));
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), seconds(wish.valid_until));
  set_name(X509_get_subject_name(certificate.get()), wish.common_name);
  require(X509_set_pubkey(certificate.get(), key) == 1);
  std::string names;
  for (const std::string& name : wish.names) {
    names += (names.empty() ? "DNS:" : ",DNS:") + name;
  }
  for (const std::string& address : wish.addresses) {
    names += (names.empty() ? "IP:" : ",IP:") + address;
  }
  if (!names.empty()) {
    add_extension(certificate.get(), NID_subject_alt_name, names);
  }
  return certificate;
}

}  // namespace

struct TestAuthority::State {
  PrivateKey key = make_key();
  Certificate certificate;
  std::string pem;
};

TestAuthority::TestAuthority(const std::string& common_name) : state_(std::make_unique<State>()) {
  CertificateWish wish;
  wish.common_name = common_name;
  state_->certificate = make_certificate(wish, state_->key.get());
  X509* const own = state_->certificate.get();
  add_extension(own, NID_basic_constraints, "critical,CA:TRUE");
  require(X509_set_issuer_name(own, X509_get_subject_name(own)) == 1);
  require(X509_sign(own, state_->key.get(), EVP_sha256()) > 0);
  state_->pem = to_pem(own);
}

TestAuthority::~TestAuthority() = default;

const std::string& TestAuthority::certificate() const noexcept {
  return state_->pem;
}

TestCertificate TestAuthority::issue(const CertificateWish& wish) const {
  const PrivateKey key = make_key();
  const Certificate certificate = make_certificate(wish, key.get());
  require(X509_set_issuer_name(certificate.get(),
                               X509_get_subject_name(state_->certificate.get())) == 1);
  require(X509_sign(certificate.get(), state_->key.get(), EVP_sha256()) > 0);
  return {to_pem(certificate.get()), to_pem(key.get())};
}

}  // namespace waypost::test
