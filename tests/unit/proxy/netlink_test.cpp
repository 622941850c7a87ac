#include "proxy/netlink.h"

#include <doctest/doctest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

namespace waypost::proxy {
namespace {

NetlinkRequest links_request(unsigned flags, int index) {
  NetlinkRequest request(RTM_GETLINK, NLM_F_REQUEST | flags);
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = index;
  request.put_header({reinterpret_cast<const std::uint8_t*>(&header), sizeof(header)});
  return request;
}

}  // namespace

TEST_CASE("what is left of an earlier answer is not taken for the next one's") {
  constexpr int Loopback = 1;  // Of every network namespace.
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  REQUIRE(socket);
  NetlinkRequest all = links_request(NLM_F_DUMP, 0);
  REQUIRE(socket->exchange(all, [](const NetlinkMessage&) { return NetlinkSocket::More::No; }));

  NetlinkRequest one = links_request(NLM_F_ACK, Loopback);
  int count = 0;
  REQUIRE(socket->exchange(one, [&](const NetlinkMessage& message) {
    ifinfomsg link{};
    REQUIRE(message.payload().size() >= sizeof(link));
    std::memcpy(&link, message.payload().data(), sizeof(link));
    CHECK(link.ifi_index == Loopback);
    ++count;
    return NetlinkSocket::More::Yes;
  }));
  CHECK(count == 1);
}

}  // namespace waypost::proxy
