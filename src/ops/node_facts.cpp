#include "ops/node_facts.h"

#include "base/log.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <utility>

namespace waypost::ops {
namespace {

constexpr const char* BeLiberal = "/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal";
constexpr const char* RouteLocalnet = "/proc/sys/net/ipv4/conf/all/route_localnet";

// Files under /proc/sys have no size, so that base/file.h does not read them.
std::string read_setting(const char* path) {
  std::ifstream file(path);
  std::string text;
  std::getline(file, text);
  return text;
}

void set_setting(const char* path, const char* value) {
  if (read_setting(path) == value) {
    return;
  }
  std::ofstream file(path);
  file << value << std::flush;
  if (!file) {
    log::warn("{} cannot be set to {}; it has to be set from outside", path, value);
  }
}

// Asks the routing table without sending anything (udp(7): connect only sets the peer).
template <typename Address>
bool source_towards(int domain, Address& peer) {
  const int fd = ::socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return false;
  }
  socklen_t size = sizeof(peer);
  auto* generic = reinterpret_cast<sockaddr*>(&peer);
  const bool is_known = ::connect(fd, generic, size) == 0 && ::getsockname(fd, generic, &size) == 0;
  ::close(fd);
  return is_known;
}

}  // namespace

std::string host_name() {
  std::array<char, 256> buffer{};
  if (::gethostname(buffer.data(), buffer.size() - 1) != 0) {
    return {};
  }
  return as_node_name(buffer.data());
}

std::string as_node_name(std::string_view text) {
  constexpr std::string_view Blanks = " \t\n\v\f\r";
  const std::size_t begin = std::min(text.find_first_not_of(Blanks), text.size());
  std::string name(text.substr(begin, text.find_last_not_of(Blanks) + 1 - begin));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

std::vector<IpAddress> default_addresses() {
  std::vector<IpAddress> addresses;
  // Documentation addresses (RFC 5737, RFC 3849): only a default route leads there.
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(9);
  v4.sin_addr.s_addr = htonl(0xc0000201);  // 192.0.2.1
  if (source_towards(AF_INET, v4)) {
    const auto* octets = reinterpret_cast<const std::uint8_t*>(&v4.sin_addr);
    addresses.push_back(IpAddress::from_octets(Bytes(octets, 4)));
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(9);
  v6.sin6_addr.s6_addr[0] = 0x20;  // 2001:db8::1
  v6.sin6_addr.s6_addr[1] = 0x01;
  v6.sin6_addr.s6_addr[2] = 0x0d;
  v6.sin6_addr.s6_addr[3] = 0xb8;
  v6.sin6_addr.s6_addr[15] = 1;
  if (source_towards(AF_INET6, v6)) {
    addresses.push_back(IpAddress::from_octets(Bytes(v6.sin6_addr.s6_addr, 16)));
  }
  return addresses;
}

std::string node_name(const NodeConfig& config) {
  return config.node_name.empty() ? host_name() : config.node_name;
}

proxy::NodeFacts node_facts(const NodeConfig& config, std::vector<IpAddress> addresses,
                            const std::vector<IpAddress>& likely,
                            const std::optional<kube::Node>& node) {
  proxy::NodeFacts facts;
  facts.name = node_name(config);
  facts.zone = config.node_zone;
  facts.addresses = std::move(addresses);
  facts.node_ips = config.node_ips;
  if (node && facts.zone.empty()) {
    const std::string* zone = kube::find_label(node->labels, "topology.kubernetes.io/zone");
    facts.zone = zone != nullptr ? *zone : "";
  }
  const auto add_first = [&](const IpAddress& address) {
    const bool has_family =
        std::any_of(facts.node_ips.begin(), facts.node_ips.end(),
                    [&](const IpAddress& other) { return other.is_v4() == address.is_v4(); });
    if (!has_family) {
      facts.node_ips.push_back(address);
    }
  };
  if (node && config.proxy.local_detector == proxy::LocalDetector::NodeCidr) {
    facts.pod_cidrs = node->pod_cidrs;
  }
  if (node) {
    for (const kube::NodeAddress& address : node->addresses) {
      if (address.type == kube::NodeAddressType::InternalIp) {
        add_first(address.address);
      }
    }
  }
  for (const IpAddress& address : likely) {
    add_first(address);
  }
  return facts;
}

bool is_leaving(const kube::Node& node) {
  return node.is_deleting || std::binary_search(node.taint_keys.begin(), node.taint_keys.end(),
                                                "ToBeDeletedByClusterAutoscaler");
}

bool has_ipv6() {
  return std::ifstream("/proc/net/if_inet6").good();
}

proxy::Config rules_on_host(const NodeConfig& config) {
  proxy::Config rules = config.proxy;
  const std::string liberal = read_setting(BeLiberal);
  if (!liberal.empty() && liberal != "0") {
    rules.drop_invalid = false;
  }
  return rules;
}

void prepare_host(const NodeConfig& config) {
  if (config.proxy.localhost_node_ports) {
    set_setting(RouteLocalnet, "1");
  }
  if (config.sets_be_liberal) {
    set_setting(BeLiberal, "1");
  }
}

}  // namespace waypost::ops
