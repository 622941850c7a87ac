#include "server/socket.h"

#include "base/endpoint.h"

#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace waypost::server {
namespace {

namespace asio = boost::asio;

bool set(int fd, int level, int name, int value) noexcept {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

Error cannot_listen(const SocketAddress& address, const char* protocol,
                    const boost::system::error_code& why) {
  return {ErrorKind::System,
          "cannot listen on " + address.to_text() + " (" + protocol + "): " + why.message()};
}

boost::system::error_code last_error() {
  return {errno, boost::system::system_category()};
}

// Binds `socket`, which is open.  SO_REUSEPORT before bind() would let two programs of one user
// share a port without noticing, and would let the kernel choose a port that is already shared.  So
// the first socket is bound without it, and gets it afterwards to let the others join.
template <typename Socket, typename Endpoint>
boost::system::error_code bind_as(Socket& socket, const Endpoint& endpoint, Claim claim,
                                  Locality locality) {
  const int fd = socket.native_handle();
  if (locality == Locality::MayCome &&
      !(endpoint.address().is_v6() ? set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1)
                                   : set(fd, IPPROTO_IP, IP_FREEBIND, 1))) {
    return last_error();
  }
  if (claim == Claim::Join && !set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
    return last_error();
  }
  if (endpoint.address().is_v6() && !set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) {
    return last_error();
  }
  boost::system::error_code error;
  socket.bind(endpoint, error);
  if (!error && claim == Claim::First && !set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
    return last_error();
  }
  return error;
}

// Best effort: without these the server works, only less well.
void tune_udp(int fd, bool v4, unsigned buffer_size) noexcept {
  const int size = static_cast<int>(buffer_size);
  if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, size)) {
    set(fd, SOL_SOCKET, SO_RCVBUF, size);
  }
  if (!set(fd, SOL_SOCKET, SO_SNDBUFFORCE, size)) {
    set(fd, SOL_SOCKET, SO_SNDBUF, size);
  }
  // A forged "fragmentation needed" must not make answers travel in fragments, which can be
  // spoofed.
  if (v4) {
    set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
  } else {
    set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
  }
}

bool report_local_address(int fd, bool v4) noexcept {
  return v4 ? set(fd, IPPROTO_IP, IP_PKTINFO, 1) : set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

}  // namespace

Result<asio::ip::udp::socket> open_udp(asio::io_context& context, const SocketAddress& address,
                                       Claim claim, unsigned buffer_size, Locality locality) {
  const auto endpoint = to_endpoint<asio::ip::udp>(address);
  asio::ip::udp::socket socket(context);
  boost::system::error_code error;
  socket.open(endpoint.protocol(), error);
  if (!error) {
    error = bind_as(socket, endpoint, claim, locality);
  }
  if (!error && address.address.is_unspecified() &&
      !report_local_address(socket.native_handle(), address.address.is_v4())) {
    error = last_error();
  }
  if (error) {
    return std::unexpected(cannot_listen(address, "UDP", error));
  }
  tune_udp(socket.native_handle(), address.address.is_v4(), buffer_size);
  return socket;
}

Result<asio::ip::tcp::acceptor> open_tcp(asio::io_context& context, const SocketAddress& address,
                                         Claim claim, Locality locality) {
  const auto endpoint = to_endpoint<asio::ip::tcp>(address);
  asio::ip::tcp::acceptor acceptor(context);
  boost::system::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) {
    // Connections of an earlier run that linger in TIME_WAIT do not keep the port.
    acceptor.set_option(asio::socket_base::reuse_address(true), error);
  }
  if (!error) {
    error = bind_as(acceptor, endpoint, claim, locality);
  }
  if (!error) {
    acceptor.listen(TcpBacklog, error);
  }
  if (error) {
    return std::unexpected(cannot_listen(address, "TCP", error));
  }
  return acceptor;
}

Result<asio::ip::udp::socket> adopt_udp(asio::io_context& context, const SocketAddress& address,
                                        OwnedFd fd, unsigned buffer_size) {
  asio::ip::udp::socket socket(context);
  boost::system::error_code error;
  tune_udp(fd.get(), address.address.is_v4(), buffer_size);
  socket.assign(to_endpoint<asio::ip::udp>(address).protocol(), fd.get(), error);
  if (error) {
    return std::unexpected(cannot_listen(address, "inherited UDP", error));
  }
  (void)fd.release();
  return socket;
}

Result<asio::ip::tcp::acceptor> adopt_tcp(asio::io_context& context, const SocketAddress& address,
                                          OwnedFd fd) {
  asio::ip::tcp::acceptor acceptor(context);
  boost::system::error_code error;
  acceptor.assign(to_endpoint<asio::ip::tcp>(address).protocol(), fd.get(), error);
  if (error) {
    return std::unexpected(cannot_listen(address, "inherited TCP", error));
  }
  (void)fd.release();
  return acceptor;
}

bool let_join(int fd) noexcept {
  return set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

bool has_ipv6() noexcept {
  const int fd = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return errno != EAFNOSUPPORT;
  }
  ::close(fd);
  return true;
}

bool is_dispensable(const SocketAddress& address, std::span<const SocketAddress> all) noexcept {
  return !address.address.is_v4() && address.address.is_unspecified() &&
         std::any_of(all.begin(), all.end(), [&](const SocketAddress& other) {
           return other.port == address.port && other.address.is_v4() &&
                  other.address.is_unspecified();
         });
}

SocketAddress from_sockaddr(const sockaddr_storage& from) noexcept {
  SocketAddress address;
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    address.address =
        IpAddress::from_octets({reinterpret_cast<const std::uint8_t*>(&v4.sin_addr), 4});
    address.port = ntohs(v4.sin_port);
  } else if (from.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    address.address =
        IpAddress::from_octets({reinterpret_cast<const std::uint8_t*>(&v6.sin6_addr), 16});
    address.port = ntohs(v6.sin6_port);
  }
  return address;
}

}  // namespace waypost::server
