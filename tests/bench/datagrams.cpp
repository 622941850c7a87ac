#include "bench/datagrams.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace waypost::bench {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

int open_loopback() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    fail("socket");
  }
  const int size = 4 << 20;
  for (const auto& [forced, plain] :
       {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, {SO_SNDBUFFORCE, SO_SNDBUF}}) {
    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) != 0) {
      setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size);
    }
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("bind");
  }
  return fd;
}

SocketAddress local_address(int socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    fail("getsockname");
  }
  return {IpAddress::v4(127, 0, 0, 1), ntohs(address.sin_port)};
}

void connect_socket(int socket, const SocketAddress& peer) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(peer.port);
  std::memcpy(&address.sin_addr, peer.address.octets().data(), sizeof address.sin_addr);
  if (connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("connect");
  }
}

void close_socket(int socket) noexcept {
  close(socket);
}

Datagrams::Datagrams(std::size_t capacity)
    : buffers_(capacity * Stride), peers_(capacity), parts_(capacity), messages_(capacity) {
  for (std::size_t i = 0; i < capacity; ++i) {
    messages_[i].msg_hdr.msg_iov = &parts_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
  }
}

std::size_t Datagrams::receive(int socket) noexcept {
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    parts_[i] = {buffers_.data() + i * Stride, MaxSize};
    messages_[i].msg_hdr.msg_name = &peers_[i];
    messages_[i].msg_hdr.msg_namelen = sizeof(sockaddr_in);
  }
  const int count = recvmmsg(socket, messages_.data(), static_cast<unsigned>(messages_.size()),
                             MSG_DONTWAIT, nullptr);
  received_ = count > 0 ? static_cast<std::size_t>(count) : 0;
  return received_;
}

void Datagrams::send_back(int socket) noexcept {
  for (std::size_t i = 0; i < received_; ++i) {
    parts_[i].iov_len = messages_[i].msg_len;
  }
  send(socket, received_);
}

void Datagrams::put(std::size_t index, MutableBytes content) noexcept {
  parts_[index] = {content.data(), content.size()};
  messages_[index].msg_hdr.msg_name = nullptr;
  messages_[index].msg_hdr.msg_namelen = 0;
}

std::size_t Datagrams::send(int socket, std::size_t count) noexcept {
  std::size_t sent = 0;
  while (sent < count) {
    const int taken = sendmmsg(socket, messages_.data() + sent, static_cast<unsigned>(count - sent),
                               MSG_DONTWAIT);
    if (taken <= 0) {
      break;
    }
    sent += static_cast<std::size_t>(taken);
  }
  return sent;
}

}  // namespace waypost::bench
