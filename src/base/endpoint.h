// Our addresses as Asio's sockets take them.

#pragma once

#include "base/ip_address.h"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <cstdint>

namespace waypost {

// `Protocol` is asio::ip::udp or asio::ip::tcp.  `scope` is the index of the interface of a
// link-local IPv6 address (RFC 4007, 6); 0: none.
template <typename Protocol>
typename Protocol::endpoint to_endpoint(const SocketAddress& from, std::uint32_t scope = 0) {
  using namespace boost::asio::ip;
  if (from.address.is_v4()) {
    address_v4::bytes_type octets;
    std::ranges::copy(from.address.octets(), octets.begin());
    return {address_v4(octets), from.port};
  }
  return {address_v6(from.address.mapped(), scope), from.port};
}

}  // namespace waypost
