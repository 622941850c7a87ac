#include "proxy/chain_name.h"

#include <openssl/sha.h>

#include <array>

namespace waypost::proxy {
namespace {

constexpr std::size_t HashCharacters = 16;
constexpr std::size_t BitsPerCharacter = 5;

constexpr std::array<std::string_view, 4> KindPrefixes = {"KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-",
                                                          "KUBE-FW-"};
constexpr std::string_view EndpointPrefix = "KUBE-SEP-";
constexpr std::string_view SegmentPrefix = "KUBE-SEG-";

}  // namespace

std::string hashed_name(std::string_view prefix, std::string_view text) {
  static constexpr std::string_view Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::string name(prefix);
  unsigned bits = 0;
  unsigned count = 0;
  for (std::size_t i = 0; name.size() < prefix.size() + HashCharacters; ++i) {
    bits = (bits << 8) | digest[i];
    for (count += 8; count >= BitsPerCharacter && name.size() < prefix.size() + HashCharacters;) {
      count -= BitsPerCharacter;
      name += Alphabet[(bits >> count) & 31U];
    }
  }
  return name;
}

std::string chain_name(ChainKind kind, std::string_view port_id) {
  return hashed_name(KindPrefixes[static_cast<std::size_t>(kind)], port_id);
}

std::string endpoint_chain_name(std::string_view port_id, std::string_view endpoint) {
  return hashed_name(EndpointPrefix, std::string(port_id).append(endpoint));
}

std::string segment_chain_name(std::string_view whole, std::size_t segment) {
  return hashed_name(SegmentPrefix, std::string(whole) + "/" + std::to_string(segment));
}

}  // namespace waypost::proxy
