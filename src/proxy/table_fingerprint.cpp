#include "proxy/table_fingerprint.h"

#include "proxy/netlink.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace waypost::proxy {
namespace {

template <typename Info>
std::uint64_t table_info(int domain, int level, int option, Table table) noexcept {
  const int fd = ::socket(domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  if (fd < 0) {
    return 0;
  }
  Info info{};
  const std::string_view name = to_text(table);
  std::memcpy(info.name, name.data(), name.size());
  socklen_t size = sizeof(info);
  const bool is_known = ::getsockopt(fd, level, option, &info, &size) == 0;
  ::close(fd);
  return is_known ? std::uint64_t{info.num_entries} << 32 | info.size : 0;
}

}  // namespace

std::uint64_t legacy_fingerprint(kube::IpFamily family, Table table) noexcept {
  return family == kube::IpFamily::V4
             ? table_info<ipt_getinfo>(AF_INET, IPPROTO_IP, IPT_SO_GET_INFO, table)
             : table_info<ip6t_getinfo>(AF_INET6, IPPROTO_IPV6, IP6T_SO_GET_INFO, table);
}

std::uint64_t nft_generation() noexcept {
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) {
    return 0;
  }
  NetlinkRequest request(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, NLM_F_REQUEST);
  request.put_netfilter_header(AF_UNSPEC);
  std::uint64_t generation = 0;
  const Result<void> asked = socket->exchange(request, [&](const NetlinkMessage& message) {
    message.for_each_attribute(sizeof(nfgenmsg), [&](const NetlinkAttribute& attribute) {
      if (attribute.type == NFTA_GEN_ID) {
        generation = attribute.u32();
      }
    });
    return NetlinkSocket::More::No;
  });
  return asked ? generation : 0;
}

}  // namespace waypost::proxy
