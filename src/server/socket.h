// Listening sockets: opened, set up and bound, and addresses in the kernel's form and ours.
//
// Not here: what comes in on them (server/udp_worker.h, server/tcp_listener.h).

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "base/owned_fd.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <sys/socket.h>

#include <cstdint>
#include <span>

namespace waypost::server {

// Connections that may wait to be accepted on one socket.
inline constexpr int TcpBacklog = 1024;

// How a socket takes its address.
enum class Claim : std::uint8_t {
  Alone,  // Fails when anybody has it; nobody can join later.
  First,  // Fails when anybody has it; sockets with Join may be bound to it afterwards.
  Join,   // Shares it with a socket that was bound as First: the kernel spreads clients over both.
};

// Whether an address has to be one of this host's by the time a socket is bound to it.
enum class Locality : std::uint8_t { Required, MayCome };

// Opens a UDP socket on `address`.  Fails, naming the address, when it is taken, or not local
// though it has to be.  Port 0: the kernel chooses.  IPv6 sockets take no IPv4.  On an unspecified
// address every datagram comes with the local address that it was sent to (IP_PKTINFO, RFC
// 3542, 6.1).  `buffer_size` is in bytes of the kernel's memory, for each direction; the kernel may
// grant less.
Result<boost::asio::ip::udp::socket> open_udp(boost::asio::io_context& context,
                                              const SocketAddress& address, Claim claim,
                                              unsigned buffer_size,
                                              Locality locality = Locality::Required);

// The same for TCP; the socket listens.
Result<boost::asio::ip::tcp::acceptor> open_tcp(boost::asio::io_context& context,
                                                const SocketAddress& address, Claim claim,
                                                Locality locality = Locality::Required);

// A socket that another process has bound to `address`, for this one.  Takes `fd`; fails when the
// kernel does not let it.
Result<boost::asio::ip::udp::socket> adopt_udp(boost::asio::io_context& context,
                                               const SocketAddress& address, OwnedFd fd,
                                               unsigned buffer_size);
Result<boost::asio::ip::tcp::acceptor> adopt_tcp(boost::asio::io_context& context,
                                                 const SocketAddress& address, OwnedFd fd);

// Lets sockets with Claim::Join be bound to the address of `fd`.  False when the kernel does not.
bool let_join(int fd) noexcept;

// Whether the kernel has sockets of IPv6; one that was started with ipv6.disable=1 has none.
bool has_ipv6() noexcept;

// Whether `address` is left out of `all` in a kernel without IPv6: it is [::], and 0.0.0.0 with the
// same port is there, too.  Lists for every kernel, as the defaults are, then serve each; an IPv6
// address that somebody asks for alone remains an error.
bool is_dispensable(const SocketAddress& address, std::span<const SocketAddress> all) noexcept;

// The address and port in a sockaddr_in or sockaddr_in6.
SocketAddress from_sockaddr(const sockaddr_storage& from) noexcept;

}  // namespace waypost::server
