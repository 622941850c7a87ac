#include "base/ip_address.h"

#include <doctest/doctest.h>

namespace waypost {

TEST_CASE("addresses keep their family and print canonically") {
  struct Case {
    const char* text;
    const char* canonical;  // Null: not an address.
  };
  for (const Case& c : {
           Case{"10.96.0.1", "10.96.0.1"},
           Case{"FD00:0:0::0001", "fd00::1"},
           Case{"::", "::"},
           Case{"::ffff:10.0.0.1", "10.0.0.1"},
           Case{"10.96.0.01", nullptr},
           Case{"10.96.0", nullptr},
           Case{"fe80::1%eth0", nullptr},
           Case{"", nullptr},
           Case{"1::2::3", nullptr},
       }) {
    CAPTURE(c.text);
    const auto address = IpAddress::from_text(c.text);
    REQUIRE(address.has_value() == (c.canonical != nullptr));
    if (address) {
      CHECK(address->to_text() == c.canonical);
      CHECK(IpAddress::from_octets(address->octets()) == *address);
    }
  }
}

TEST_CASE("a prefix contains its own addresses and none of the other family") {
  const auto prefix = IpPrefix::from_text("10.96.0.0/12");
  REQUIRE(prefix);
  CHECK(prefix->contains(IpAddress::v4(10, 111, 255, 255)));
  CHECK_FALSE(prefix->contains(IpAddress::v4(10, 112, 0, 0)));
  CHECK_FALSE(prefix->contains(*IpAddress::from_text("fd00::1")));
  const auto everything = IpPrefix::from_text("::/0");
  REQUIRE(everything);
  CHECK(everything->contains(*IpAddress::from_text("fd00::1")));
  CHECK_FALSE(everything->contains(IpAddress::v4(10, 0, 0, 1)));
  CHECK(IpPrefix::from_text("10.0.0.7")->to_text() == "10.0.0.7/32");
}

TEST_CASE("a prefix that is not one is refused with the reason") {
  for (const char* text :
       {"10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/x", "fd00::/129", "a/8"}) {
    CAPTURE(text);
    const auto prefix = IpPrefix::from_text(text);
    REQUIRE_FALSE(prefix);
    CHECK(prefix.error().message.find(text) != std::string::npos);
  }
}

TEST_CASE("socket addresses round-trip in both families") {
  for (const char* text : {"127.0.0.1:1053", "[::1]:53", "0.0.0.0:0", "[fd00::a]:65535"}) {
    CAPTURE(text);
    const auto address = SocketAddress::from_text(text);
    REQUIRE(address);
    CHECK(address->to_text() == text);
  }
  for (const char* text :
       {"127.0.0.1", "::1:53", "[127.0.0.1]:53", "127.0.0.1:65536", "[::1]:", "a:1"}) {
    CAPTURE(text);
    CHECK_FALSE(SocketAddress::from_text(text));
  }
}

}  // namespace waypost
