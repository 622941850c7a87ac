#include "proxy/address_watch.h"

#include "base/owned_fd.h"
#include "support/caught_log.h"
#include "support/skip.h"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <sched.h>
#include <thread>
#include <vector>

namespace waypost::proxy {
namespace {

using Addresses = std::vector<IpAddress>;

TEST_CASE("addresses are read, sorted, with loopback's") {
  const auto own = own_addresses();
  REQUIRE(own);
  CHECK(std::is_sorted(own->begin(), own->end()));
  CHECK(std::binary_search(own->begin(), own->end(), IpAddress::v4(127, 0, 0, 1)));
}

TEST_CASE("what cannot be read at first is told") {
  boost::asio::io_context context;
  const auto watch = AddressWatch::start(
      context, [](const Addresses&) {},
      []() -> Result<Addresses> { return failure(ErrorKind::System, "no netlink"); });
  REQUIRE_FALSE(watch);
  CHECK(watch.error().message == "no netlink");
}

// Sets up the loopback interface of this thread's network namespace, so that the kernel tells of
// it.
bool set_loopback_up() {
  const OwnedFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof(request.ifr_name), "lo");
  request.ifr_flags = IFF_UP;
  return ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

TEST_CASE("addresses that cannot be read after a change are read again") {
  bool has_namespace = false;
  std::vector<Addresses> told;
  test::CaughtLog log;
  std::thread([&] {  // Whose network namespace goes with it.
    has_namespace = ::unshare(CLONE_NEWNET) == 0;
    if (!has_namespace) {
      return;
    }
    boost::asio::io_context context;
    int reads = 0;
    const auto watch = AddressWatch::start(
        context,
        [&](const Addresses& now) {
          told.push_back(now);
          context.stop();
        },
        [&reads]() -> Result<Addresses> {
          ++reads;
          if (reads == 2) {
            return failure(ErrorKind::System, "not now");
          }
          return reads == 1 ? Addresses() : Addresses{IpAddress::v4(127, 0, 0, 1)};
        });
    const bool is_told = watch && set_loopback_up();
    CHECK(is_told);  // No REQUIRE: on this thread it would end the program.
    if (!is_told) {
      return;
    }
    context.run_for(std::chrono::seconds(20));
    CHECK(reads == 3);
    CHECK(watch->addresses() == Addresses{IpAddress::v4(127, 0, 0, 1)});
  })
      .join();
  if (!has_namespace) {
    test::skip("a watch that tries again: no network namespace can be made here");
    return;
  }
  CHECK(told == std::vector<Addresses>{{IpAddress::v4(127, 0, 0, 1)}});
  CHECK(log.take() ==
        "warning own addresses: not now; trying every second\n"
        "info own addresses: can be read again\n");
}

}  // namespace
}  // namespace waypost::proxy
