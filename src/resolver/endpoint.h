// An upstream's address as Asio's sockets take it.  Inside this room only.

#pragma once

#include "resolver/upstream_address.h"

#include <boost/asio/ip/address.hpp>

#include <algorithm>

namespace waypost::resolver {

template <typename Protocol>
typename Protocol::endpoint to_endpoint(const UpstreamAddress& upstream) {
  using namespace boost::asio::ip;
  const IpAddress& address = upstream.socket.address;
  if (address.is_v4()) {
    address_v4::bytes_type octets;
    std::ranges::copy(address.octets(), octets.begin());
    return {address_v4(octets), upstream.socket.port};
  }
  return {address_v6(address.mapped(), upstream.scope), upstream.socket.port};
}

}  // namespace waypost::resolver
