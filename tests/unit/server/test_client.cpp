#include "unit/server/test_client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <string>

namespace waypost::test {
namespace {

void set_patience(int fd, std::chrono::milliseconds patience) {
  const timeval time{patience.count() / 1000, patience.count() % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

int open_socket(const SocketAddress& server, int type) {
  const int fd = socket(server.address.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    throw std::runtime_error(std::string("socket: ") + std::strerror(errno));
  }
  return fd;
}

void connect_to(int fd, const SocketAddress& server) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const Bytes octets = server.address.octets();
  if (server.address.is_v4()) {
    auto& to = reinterpret_cast<sockaddr_in&>(storage);
    to.sin_family = AF_INET;
    to.sin_port = htons(server.port);
    std::memcpy(&to.sin_addr, octets.data(), octets.size());
    size = sizeof to;
  } else {
    auto& to = reinterpret_cast<sockaddr_in6&>(storage);
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(server.port);
    std::memcpy(&to.sin6_addr, octets.data(), octets.size());
    size = sizeof to;
  }
  if (connect(fd, reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
    throw std::runtime_error("connect to " + server.to_text() + ": " + std::strerror(errno));
  }
}

std::optional<Message> read_once(int fd, std::size_t size, int flags) {
  Message octets(size);
  const ssize_t got = recv(fd, octets.data(), octets.size(), flags);
  if (got <= 0) {
    return std::nullopt;
  }
  octets.resize(static_cast<std::size_t>(got));
  return octets;
}

}  // namespace

std::chrono::milliseconds cpu_time() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::milliseconds(time.tv_sec * 1000 + time.tv_nsec / 1000000);
}

Descriptor::~Descriptor() {
  close(fd_);
}

UdpClient::UdpClient(const SocketAddress& server) : socket_(open_socket(server, SOCK_DGRAM)) {
  const int buffer = 4 << 20;
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  connect_to(socket_.get(), server);
}

void UdpClient::send(Bytes datagram) {
  // An ICMP error about an earlier datagram is reported here; this one has then not been sent.
  while (::send(socket_.get(), datagram.data(), datagram.size(), 0) < 0 && errno == ECONNREFUSED) {
  }
}

std::optional<Message> UdpClient::receive(std::chrono::milliseconds patience) {
  set_patience(socket_.get(), patience);
  Message datagram(65536);
  const ssize_t size = recv(socket_.get(), datagram.data(), datagram.size(), 0);
  if (size < 0) {
    return std::nullopt;
  }
  datagram.resize(static_cast<std::size_t>(size));
  return datagram;
}

TcpClient::TcpClient(const SocketAddress& server, int receive_buffer)
    : socket_(open_socket(server, SOCK_STREAM)) {
  set_patience(socket_.get(), Patience);
  if (receive_buffer != 0) {
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  connect_to(socket_.get(), server);
}

bool TcpClient::send(Bytes octets) {
  while (!octets.empty()) {
    const ssize_t sent = ::send(socket_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return false;
    }
    octets = octets.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

void TcpClient::finish() {
  shutdown(socket_.get(), SHUT_WR);
}

std::optional<Message> TcpClient::receive_some(std::size_t size) {
  return read_once(socket_.get(), size, 0);
}

std::size_t TcpClient::try_send(Bytes octets) {
  const ssize_t sent =
      ::send(socket_.get(), octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

std::optional<Message> TcpClient::try_receive_some(std::size_t size) {
  return read_once(socket_.get(), size, MSG_DONTWAIT);
}

std::optional<Message> TcpClient::receive() {
  std::array<std::uint8_t, 2> length{};
  if (recv(socket_.get(), length.data(), length.size(), MSG_WAITALL) != 2) {
    return std::nullopt;
  }
  Message message(load_u16(length.data()));
  if (recv(socket_.get(), message.data(), message.size(), MSG_WAITALL) !=
      static_cast<ssize_t>(message.size())) {
    return std::nullopt;
  }
  return message;
}

bool TcpClient::is_closed() {
  std::uint8_t octet = 0;
  const ssize_t got = recv(socket_.get(), &octet, 1, 0);
  return got == 0 || (got < 0 && errno == ECONNRESET);
}

Message framed(Bytes message) {
  Message octets(2 + message.size());
  store_u16(octets.data(), static_cast<std::uint16_t>(message.size()));
  std::copy(message.begin(), message.end(), octets.begin() + 2);
  return octets;
}

}  // namespace waypost::test
