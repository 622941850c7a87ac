#include "ops/reverse_zones.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::ops {
namespace {

std::string joined(const std::vector<dns::Name>& names) {
  std::string text;
  for (const dns::Name& name : names) {
    text += (text.empty() ? "" : " ") + name.to_text();
  }
  return text;
}

}  // namespace

TEST_CASE("a prefix becomes the reverse zones that cover it and no other address") {
  struct Case {
    const char* text;
    const char* zones;
  };
  for (const Case& c : {
           Case{"10.0.0.0/8", "10.in-addr.arpa."},
           Case{"10.96.0.0/16", "96.10.in-addr.arpa."},
           Case{"10.96.0.0/14",
                "96.10.in-addr.arpa. 97.10.in-addr.arpa. 98.10.in-addr.arpa. 99.10.in-addr.arpa."},
           Case{"192.0.2.254/31", "254.2.0.192.in-addr.arpa. 255.2.0.192.in-addr.arpa."},
           Case{"192.0.2.1/32", "1.2.0.192.in-addr.arpa."},
           Case{"0.0.0.0/0", "in-addr.arpa."},
           Case{"fd00::/8", "d.f.ip6.arpa."},
           Case{"fd00:10:96::/47",
                "6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa. 7.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa."},
           Case{"::/0", "ip6.arpa."},
           Case{"In-Addr.Arpa", "in-addr.arpa."},
           Case{"10.in-addr.arpa.", "10.in-addr.arpa."},
           Case{"d.f.ip6.arpa", "d.f.ip6.arpa."},
       }) {
    CAPTURE(c.text);
    const auto zones = reverse_zones_from_text(c.text);
    REQUIRE(zones.has_value());
    CHECK(joined(*zones) == c.zones);
  }
}

TEST_CASE("a /12 becomes sixteen zones, a /25 becomes 128") {
  const auto zones = reverse_zones_from_text("10.96.0.0/12");
  REQUIRE(zones.has_value());
  REQUIRE(zones->size() == 16);
  CHECK(zones->front().to_text() == "96.10.in-addr.arpa.");
  CHECK(zones->back().to_text() == "111.10.in-addr.arpa.");
  CHECK(reverse_zones_from_text("192.0.2.128/25")->size() == 128);
}

TEST_CASE("what is no reverse zone is refused") {
  for (const char* text :
       {"", "example.org", "arpa", "10.96.0.1/12", "10.96.0.0/33", "a..in-addr.arpa"}) {
    CAPTURE(text);
    CHECK_FALSE(reverse_zones_from_text(text).has_value());
  }
}

}  // namespace waypost::ops
