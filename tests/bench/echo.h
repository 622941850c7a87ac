// The limit: datagrams sent back as they came, with the system calls and batches that the server
// uses and nothing in between.

#pragma once

#include "base/ip_address.h"

#include <atomic>
#include <thread>

namespace waypost::bench {

class Echo {
 public:
  // Opens a socket and starts a thread, on the CPUs of the caller.  Several may have the same
  // address: the kernel then divides senders among them.  Throws std::system_error when that fails.
  explicit Echo(const SocketAddress& address = {IpAddress::v4(127, 0, 0, 1), 0});
  ~Echo();
  Echo(const Echo&) = delete;
  Echo& operator=(const Echo&) = delete;

  const SocketAddress& address() const noexcept { return address_; }

 private:
  void run() noexcept;

  int socket_;
  SocketAddress address_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace waypost::bench
