#include "proxy/local_device.h"

#include "proxy/address_watch.h"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>

namespace waypost::proxy {
namespace {

constexpr const char* TunDevice = "/dev/net/tun";

template <typename Header>
void put(NetlinkRequest& request, const Header& header) {
  std::uint8_t octets[sizeof(header)];
  std::memcpy(octets, &header, sizeof(header));
  request.put_header(octets);
}

NetlinkSocket::More nothing(const NetlinkMessage& /*message*/) {
  return NetlinkSocket::More::Yes;
}

// No address of its own making: fe80::… of an interface that nothing is sent through.
void set_no_link_local(NetlinkSocket& socket, unsigned index) {
  NetlinkRequest request(RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK);
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = static_cast<int>(index);
  put(request, header);
  request.begin_nested(IFLA_AF_SPEC);
  request.begin_nested(AF_INET6);
  const std::uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
  request.put(IFLA_INET6_ADDR_GEN_MODE, {&mode, 1});
  request.end_nested();
  request.end_nested();
  std::ignore = socket.exchange(request, nothing);  // A kernel without IPv6 has none anyway.
}

}  // namespace

Result<LocalDevice> LocalDevice::make(const std::string& name) {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) {
    return std::unexpected(socket.error());
  }
  OwnedFd tun(::open(TunDevice, O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!tun.is_open()) {
    auto failed = system_failure(TunDevice);
    failed.error().message +=
        "; the node's DNS addresses need it, a container has to be given it as a device";
    return failed;
  }
  ifreq wanted{};
  std::memcpy(wanted.ifr_name, name.data(), std::min(name.size(), MaxDeviceName));
  wanted.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL);
  if (::ioctl(tun.get(), TUNSETIFF, &wanted) != 0) {
    if (errno == EBUSY || errno == EEXIST || errno == EINVAL) {
      return failure(ErrorKind::System, "interface " + name +
                                            ": there is one of that name already; another "
                                            "waypost-node may be running");
    }
    return system_failure("interface " + name);
  }
  const unsigned index = ::if_nametoindex(wanted.ifr_name);
  if (index == 0) {
    return system_failure("interface " + name);
  }
  LocalDevice device(std::move(tun), index, std::move(*socket));
  set_no_link_local(device.socket_, device.index_);
  if (const Result<void> up = device.set_up(); !up) {
    return std::unexpected(with_context(up.error(), "interface " + name));
  }
  return device;
}

Result<void> LocalDevice::set_up() {
  NetlinkRequest request(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK);
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = static_cast<int>(index_);
  header.ifi_flags = IFF_UP;
  header.ifi_change = IFF_UP;
  put(request, header);
  return socket_.exchange(request, nothing);
}

Result<LocalDevice::Condition> LocalDevice::look() {
  NetlinkRequest request(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK);
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = static_cast<int>(index_);
  put(request, header);
  Condition condition;
  const Result<void> asked = socket_.exchange(request, [&](const NetlinkMessage& message) {
    ifinfomsg link{};
    if (message.type() == RTM_NEWLINK && message.payload().size() >= sizeof(link)) {
      std::memcpy(&link, message.payload().data(), sizeof(link));
      condition.is_up = (link.ifi_flags & IFF_UP) != 0;
    }
    return NetlinkSocket::More::Yes;
  });
  if (!asked) {
    return asked.error().kind == ErrorKind::NotFound
               ? failure(ErrorKind::NotFound, "somebody removed it")
               : std::unexpected(asked.error());
  }
  auto addresses = addresses_of(index_, socket_);
  if (!addresses) {
    return std::unexpected(std::move(addresses.error()));
  }
  condition.addresses = std::move(*addresses);
  return condition;
}

Result<void> LocalDevice::add(const IpAddress& address) {
  NetlinkRequest request(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
  ifaddrmsg header{};
  header.ifa_family = address.is_v4() ? AF_INET : AF_INET6;
  header.ifa_prefixlen = address.is_v4() ? 32 : 128;
  header.ifa_flags = address.is_v4() ? 0 : IFA_F_NODAD;
  // Neither is ever chosen as the source of what this host sends: the same address may be on every
  // node.
  header.ifa_scope = address.is_v4() ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  const ifa_cacheinfo deprecated{.ifa_prefered = 0, .ifa_valid = ~std::uint32_t{0}};
  header.ifa_index = index_;
  put(request, header);
  request.put(IFA_LOCAL, address.octets());
  request.put(IFA_ADDRESS, address.octets());
  if (!address.is_v4()) {
    std::uint8_t octets[sizeof(deprecated)];
    std::memcpy(octets, &deprecated, sizeof(deprecated));
    request.put(IFA_CACHEINFO, octets);
  }
  const Result<void> added = socket_.exchange(request, nothing);
  return added ? added : std::unexpected(with_context(added.error(), address.to_text()));
}

}  // namespace waypost::proxy
