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

// Returns the addresses of all interfaces, loopback's too, sorted, each once.
Result<std::vector<IpAddress>> own_addresses();

// Follows addresses and links.  A burst of changes becomes one call, 20 ms after its first, and
// only when the addresses are other ones than before.
class AddressWatch {
 public:
  using Changed = std::function<void(const std::vector<IpAddress>&)>;

  // `changed` runs on `context`'s thread.  `context` is borrowed and outlives this object.
  static Result<AddressWatch> start(boost::asio::io_context& context, Changed changed);
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
