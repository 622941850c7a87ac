// Certificates for tests, made when they are needed: nothing in the tree expires.

#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace waypost::test {

// Both in PEM.
struct TestCertificate {
  std::string certificate;
  std::string key;
};

// What a certificate is for.  Times are relative to now.
struct CertificateWish {
  std::string common_name = "test";
  std::vector<std::string> names;      // DNS names among the alternative names.
  std::vector<std::string> addresses;  // IP addresses among them.
  std::chrono::hours valid_from{-1};
  std::chrono::hours valid_until{24};
};

class TestAuthority {
 public:
  // One that signed itself, with a key of its own.
  explicit TestAuthority(const std::string& common_name);
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  const std::string& certificate() const noexcept;
  TestCertificate issue(const CertificateWish& wish) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace waypost::test
