// The limit: a thread that sends every datagram back, with the system calls and batches that the
// server uses and nothing in between.

#pragma once

#include "base/ip_address.h"

#include <atomic>
#include <thread>

namespace waypost::bench {

class Echo {
 public:
  // Opens a socket on loopback and starts the thread, on the CPUs of the caller.  Throws
  // std::system_error when that fails.
  Echo();
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
