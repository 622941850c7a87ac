// The addresses of this machine, as rtnetlink tells them, and when they change.

#pragma once

#include "base/error.h"
#include "base/ip_address.h"

#include <functional>
#include <memory>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace waypost::proxy {

class NetlinkSocket;

// Returns the addresses of all interfaces, loopback's too, sorted, each once.
Result<std::vector<IpAddress>> own_addresses();

// Returns those of one interface, by its index, sorted; none when there is no such interface.
// `socket`, of NETLINK_ROUTE, is asked.
Result<std::vector<IpAddress>> addresses_of(unsigned interface, NetlinkSocket& socket);

// Follows addresses and links.  A burst of changes becomes one call, 20 ms after its first, and
// only when the addresses are other ones than before.  When they cannot be read, the last ones stay
// in force, and they are read again after a second.
class AddressWatch {
 public:
  using Changed = std::function<void(const std::vector<IpAddress>&)>;
  using Read = std::function<Result<std::vector<IpAddress>>()>;

  // `changed` and `read`, which tells all addresses, run on `context`'s thread.  `context` is
  // borrowed and outlives this object.  Fails when they cannot be read at first.
  static Result<AddressWatch> start(boost::asio::io_context& context, Changed changed,
                                    Read read = own_addresses);
  // No call begins afterwards.
  ~AddressWatch();
  AddressWatch(AddressWatch&&) noexcept;
  AddressWatch& operator=(AddressWatch&&) = delete;

  // As of the last change.
  const std::vector<IpAddress>& addresses() const noexcept;

 private:
  class State;
  explicit AddressWatch(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace waypost::proxy
