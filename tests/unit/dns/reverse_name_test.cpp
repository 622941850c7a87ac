#include "dns/reverse_name.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::dns {

TEST_CASE("reverse names are written whole and in part, and read back") {
  struct Case {
    std::string address;
    std::size_t labels;
    std::string name;
  };
  for (const Case& each :
       {Case{"10.96.0.107", 4, "107.0.96.10.in-addr.arpa."},
        Case{"10.96.0.0", 3, "0.96.10.in-addr.arpa."},
        Case{"2001:db8::af", 32,
             "f.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."},
        Case{"2001:d000::", 5, "d.1.0.0.2.ip6.arpa."}}) {
    CAPTURE(each.name);
    const IpAddress address = *IpAddress::from_text(each.address);
    const Name name = reverse_name(address, each.labels);
    CHECK(name.to_text() == each.name);
    NameKey key;
    key.assign(name.wire());
    const auto read = read_reverse_name(key);
    REQUIRE(read);
    CHECK(read->address == address);
    CHECK(read->labels == each.labels);
    const bool is_whole = each.labels == reverse_labels(address);
    CHECK(read->is_whole() == is_whole);
    CHECK((reverse_name(address) == name) == is_whole);
  }
  CHECK(reverse_name(IpAddress::v4(10, 0, 0, 1), 0).to_text() == "in-addr.arpa.");
}

TEST_CASE("reverse names are those at and below in-addr.arpa and ip6.arpa, in any case") {
  for (const std::string name :
       {"in-addr.arpa.", "1.in-addr.arpa.", "nobody.IN-ADDR.Arpa.", "ip6.arpa.", "f.IP6.ARPA."}) {
    CAPTURE(name);
    CHECK(is_reverse(*Name::from_text(name)));
  }
  for (const std::string name :
       {".", "arpa.", "home.arpa.", "xip6.arpa.", "in-addr.arpa.example.", "ip6.example."}) {
    CAPTURE(name);
    CHECK_FALSE(is_reverse(*Name::from_text(name)));
  }
}

}  // namespace waypost::dns
