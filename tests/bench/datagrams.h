// UDP sockets, and batches of datagrams through recvmmsg and sendmmsg, for the echo and the load.

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace waypost::bench {

// A UDP socket bound to `address`, with large buffers; others may bind the same address.  Throws
// std::system_error.
int open_bound(const SocketAddress& address);
// One that sends to and takes from `peer` only.  Throws std::system_error.
int open_connected(const SocketAddress& peer);
SocketAddress local_address(int socket);
void close_socket(int socket) noexcept;

// The form that the kernel takes; the size is that of its family.
socklen_t to_sockaddr(const SocketAddress& address, sockaddr_in6& to) noexcept;
// Throws std::system_error for the current errno.
[[noreturn]] void throw_errno(const char* what);

class Datagrams {
 public:
  static constexpr std::size_t MaxSize = 4096;

  explicit Datagrams(std::size_t capacity);
  Datagrams(const Datagrams&) = delete;
  Datagrams& operator=(const Datagrams&) = delete;

  // Takes what is there, without waiting.  Returns how many came.
  std::size_t receive(int socket) noexcept;
  Bytes operator[](std::size_t index) const noexcept {
    return {buffers_.data() + index * Stride, messages_[index].msg_len};
  }
  // Sends the datagrams of the last receive() to where they came from.
  void send_back(int socket) noexcept;

  // Puts `content` at `index` for send(); `content` is borrowed until then.
  void put(std::size_t index, MutableBytes content) noexcept;
  // Sends the first `count` on a connected socket.  Returns how many were sent.
  std::size_t send(int socket, std::size_t count) noexcept;

 private:
  // As in the server: a multiple of 4096 would make all buffers share a few cache sets.
  static constexpr std::size_t Stride = MaxSize + 64;

  std::vector<std::uint8_t> buffers_;
  std::vector<sockaddr_in6> peers_;
  std::vector<iovec> parts_;
  std::vector<mmsghdr> messages_;
  std::size_t received_ = 0;
};

}  // namespace waypost::bench
