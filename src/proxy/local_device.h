// A network interface of this process' own, for addresses that are this host's as long as the
// process lives.
//
// It is a TUN device that is not persistent (Linux Documentation/networking/tuntap.rst): the kernel
// removes it, and with it the addresses and their routes, when the last descriptor of it is closed,
// also when the process is killed.  Nothing is ever sent through it, because its addresses are
// local.

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "base/owned_fd.h"
#include "proxy/netlink.h"

#include <string>
#include <vector>

namespace waypost::proxy {

// The longest name of an interface, in octets: IFNAMSIZ without the zero (linux/if.h).
inline constexpr std::size_t MaxDeviceName = 15;

// Control thread only.  Blocks for as long as the kernel takes to answer a netlink request.
class LocalDevice {
 public:
  // Makes the interface and sets it up.  Fails, saying what it takes, when /dev/net/tun cannot be
  // opened or the right CAP_NET_ADMIN is missing, and when another process has an interface of that
  // name.
  static Result<LocalDevice> make(const std::string& name);
  // Destruction removes it.

  // Gives it an address, alone: /32, or /128 without duplicate address detection.  From here on
  // packets to the address are for this host, which never chooses it as a source by itself.
  Result<void> add(const IpAddress& address);

  // What the kernel has of it.  Others can set it down, which takes the addresses of IPv6 away, and
  // remove addresses.
  struct Condition {
    bool is_up = false;
    std::vector<IpAddress> addresses;  // Sorted.
  };
  // Fails with NotFound when the interface is not there any more, because somebody deleted it or
  // moved it to another network namespace.  Nothing brings this one back then.
  Result<Condition> look();

  // Sets it up again.
  Result<void> set_up();

 private:
  LocalDevice(OwnedFd tun, unsigned index, NetlinkSocket socket) noexcept
      : tun_(std::move(tun)), index_(index), socket_(std::move(socket)) {}
  OwnedFd tun_;
  unsigned index_;
  NetlinkSocket socket_;
};

}  // namespace waypost::proxy
