// Batches of datagrams through recvmmsg and sendmmsg, for the echo and the load.

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace waypost::bench {

// A UDP socket on 127.0.0.1 with large buffers.  Throws std::system_error.
int open_loopback();
SocketAddress local_address(int socket);
// Lets `socket` send to and take from `peer` only.  Throws std::system_error.
void connect_socket(int socket, const SocketAddress& peer);
void close_socket(int socket) noexcept;

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
  std::vector<sockaddr_in> peers_;
  std::vector<iovec> parts_;
  std::vector<mmsghdr> messages_;
  std::size_t received_ = 0;
};

}  // namespace waypost::bench
