#include "bench/datagrams.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

namespace waypost::bench {
namespace {

int open_udp(const SocketAddress& like) {
  const int fd = socket(like.address.is_v4() ? AF_INET : AF_INET6,
                        SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    throw_errno("socket");
  }
  const int size = 4 << 20;
  for (const auto& [forced, plain] :
       {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, {SO_SNDBUFFORCE, SO_SNDBUF}}) {
    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) != 0) {
      setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size);
    }
  }
  return fd;
}

}  // namespace

void throw_errno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

socklen_t to_sockaddr(const SocketAddress& address, sockaddr_in6& to) noexcept {
  to = {};
  const Bytes octets = address.address.octets();
  if (!address.address.is_v4()) {
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(address.port);
    std::memcpy(&to.sin6_addr, octets.data(), octets.size());
    return sizeof to;
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(address.port);
  std::memcpy(&v4.sin_addr, octets.data(), octets.size());
  std::memcpy(&to, &v4, sizeof v4);
  return sizeof v4;
}

int open_bound(const SocketAddress& address) {
  const int fd = open_udp(address);
  const int on = 1;
  sockaddr_in6 form;
  const socklen_t size = to_sockaddr(address, form);
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&form), size) != 0) {
    throw_errno(("bind to " + address.to_text()).c_str());
  }
  return fd;
}

int open_connected(const SocketAddress& peer) {
  const int fd = open_udp(peer);
  sockaddr_in6 form;
  const socklen_t size = to_sockaddr(peer, form);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&form), size) != 0) {
    throw_errno(("connect to " + peer.to_text()).c_str());
  }
  return fd;
}

SocketAddress local_address(int socket) {
  sockaddr_in6 form{};
  socklen_t size = sizeof form;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&form), &size) != 0) {
    throw_errno("getsockname");
  }
  if (form.sin6_family == AF_INET6) {
    return {IpAddress::from_octets(form.sin6_addr.s6_addr), ntohs(form.sin6_port)};
  }
  sockaddr_in v4{};
  std::memcpy(&v4, &form, sizeof v4);
  std::array<std::uint8_t, 4> octets{};
  std::memcpy(octets.data(), &v4.sin_addr, octets.size());
  return {IpAddress::from_octets(octets), ntohs(v4.sin_port)};
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
    messages_[i].msg_hdr.msg_namelen = sizeof peers_[i];
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
