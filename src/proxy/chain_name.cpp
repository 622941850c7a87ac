#include "proxy/chain_name.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>

namespace waypost::proxy {
namespace {

constexpr std::size_t HashCharacters = 16;
constexpr std::size_t BitsPerCharacter = 5;

constexpr std::array<std::string_view, 4> KindPrefixes = {"KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-",
                                                          "KUBE-FW-"};
constexpr std::string_view EndpointPrefix = "KUBE-SEP-";
constexpr std::string_view SegmentPrefix = "KUBE-SEG-";

constexpr std::array<std::string_view, 4> FilterChains = {ServicesChain, ExternalServicesChain,
                                                          NodePortsChain, ForwardChain};
constexpr std::array<std::string_view, 4> NatChains = {ServicesChain, NodePortsChain,
                                                       PostroutingChain, MarkChain};
constexpr std::array<std::string_view, 6> FilterTrees = {
    ClusterIpTree, ExternalIpTree, NodePortTree, ProxyFirewallTree, HealthCheckTree, HairpinTree};
constexpr std::array<std::string_view, 4> NatTrees = {ClusterIpTree, ExternalIpTree, NodePortTree,
                                                      HairpinTree};

bool is_one_of(std::string_view name, const auto& names) noexcept {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has_prefix_of(std::string_view name, const auto& prefixes) noexcept {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

// A tree's root or one of its branches.
bool is_in_tree(std::string_view name, const auto& trees) noexcept {
  return has_prefix_of(name, trees) ||
         std::any_of(trees.begin(), trees.end(), [&](std::string_view tree) {
           return name == tree.substr(0, tree.size() - 1);
         });
}

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

bool is_own_chain(Table table, std::string_view name) noexcept {
  if (table == Table::Raw) {
    return name == DnsQueriesChain || name == DnsAnswersChain;
  }
  if (table == Table::Filter) {
    return is_one_of(name, FilterChains) || name == ProxyFirewallChain || name == FirewallChain ||
           name == CanaryChain || is_in_tree(name, FilterTrees);
  }
  return is_one_of(name, NatChains) || name == CanaryChain || has_prefix_of(name, KindPrefixes) ||
         name.starts_with(EndpointPrefix) || name.starts_with(SegmentPrefix) ||
         is_in_tree(name, NatTrees);
}

}  // namespace waypost::proxy
