#include "server/inheritance.h"

#include "server/socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace waypost::server {
namespace {

int option_of(int fd, int name) noexcept {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

}  // namespace

Inheritance::Inheritance(std::vector<OwnedFd> sockets) {
  for (OwnedFd& socket : sockets) {
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
      continue;
    }
    const SocketAddress address = from_sockaddr(bound);
    const bool is_udp = option_of(socket.get(), SO_TYPE) == SOCK_DGRAM;
    if (address.port == 0 || (!is_udp && option_of(socket.get(), SO_ACCEPTCONN) != 1)) {
      continue;
    }
    auto place = std::find_if(places_.begin(), places_.end(), [&](const InheritedSockets& each) {
      return each.address == address;
    });
    if (place == places_.end()) {
      place = places_.insert(places_.end(), InheritedSockets{.address = address});
    }
    (is_udp ? place->udp : place->tcp).push_back(std::move(socket));
  }
}

InheritedSockets Inheritance::take(const SocketAddress& wanted) {
  const auto place =
      std::find_if(places_.begin(), places_.end(), [&](const InheritedSockets& each) {
        return each.address.address == wanted.address &&
               (wanted.port == 0 || each.address.port == wanted.port);
      });
  if (place == places_.end()) {
    return {.address = wanted};
  }
  InheritedSockets taken = std::move(*place);
  places_.erase(place);
  return taken;
}

std::vector<SocketAddress> Inheritance::left() const {
  std::vector<SocketAddress> addresses;
  addresses.reserve(places_.size());
  for (const InheritedSockets& place : places_) {
    addresses.push_back(place.address);
  }
  return addresses;
}

}  // namespace waypost::server
