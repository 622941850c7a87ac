// Sockets that another process has opened and hands on, so that no query that waits in them is
// lost.
//
// Not here: how they get from one process to another (ops/takeover_channel.h).

#pragma once

#include "base/ip_address.h"
#include "base/owned_fd.h"

#include <vector>

namespace waypost::server {

// Bound to one address.  A socket that nobody reads swallows what the kernel spreads to it, so all
// of them have to be read, or none.
struct InheritedSockets {
  SocketAddress address;  // With its real port.
  std::vector<OwnedFd> udp;
  std::vector<OwnedFd> tcp;  // They listen.

  bool is_empty() const noexcept { return udp.empty() && tcp.empty(); }
};

// Used on one thread.
class Inheritance {
 public:
  // Takes over bound UDP and listening TCP sockets of IPv4 and IPv6; closes others.
  explicit Inheritance(std::vector<OwnedFd> sockets = {});

  // Those bound to `wanted`, or with port 0 to its address and any port; empty when there are none,
  // or they were taken.
  InheritedSockets take(const SocketAddress& wanted);

  // Addresses that nobody has taken.
  std::vector<SocketAddress> left() const;

 private:
  std::vector<InheritedSockets> places_;
};

}  // namespace waypost::server
