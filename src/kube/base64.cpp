#include "kube/base64.h"

#include <openssl/evp.h>

#include <cstddef>

namespace waypost::kube {
namespace {

bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  std::string packed;
  packed.reserve(text.size());
  for (const char c : text) {
    if (!is_blank(c)) {
      packed += c;
    }
  }
  const std::size_t padding = packed.ends_with("==") ? 2 : packed.ends_with('=') ? 1 : 0;
  // OpenSSL is lenient about where the padding stands.
  const auto first_padding = packed.find('=');
  const bool is_placed =
      first_padding == std::string::npos || first_padding == packed.size() - padding;
  if (packed.size() % 4 != 0 || !is_placed) {
    return std::nullopt;
  }
  std::string octets(packed.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(octets.data()),
                                   reinterpret_cast<const unsigned char*>(packed.data()),
                                   static_cast<int>(packed.size()));
  if (size < 0) {
    return std::nullopt;
  }
  octets.resize(static_cast<std::size_t>(size) - padding);
  return octets;
}

std::string encode_base64(std::string_view octets) {
  std::string text((octets.size() + 2) / 3 * 4 + 1, '\0');  // And OpenSSL's closing zero.
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(octets.data()),
                                   static_cast<int>(octets.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

}  // namespace waypost::kube
