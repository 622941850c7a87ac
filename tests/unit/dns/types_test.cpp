#include "dns/types.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>

namespace waypost::dns {

TEST_CASE("types print as the registry spells them, others by number") {
  struct Case {
    unsigned number;
    std::string text;
  };
  for (const Case& c :
       {Case{1, "A"}, Case{28, "AAAA"}, Case{33, "SRV"}, Case{65, "HTTPS"}, Case{255, "ANY"},
        Case{257, "CAA"}, Case{0, "TYPE0"}, Case{3, "TYPE3"}, Case{65535, "TYPE65535"}}) {
    CHECK(to_text(static_cast<RecordType>(c.number)) == c.text);
  }
}

TEST_CASE("rcodes print as the registry spells them, others by number") {
  struct Case {
    unsigned number;
    std::string text;
  };
  for (const Case& c :
       {Case{0, "NOERROR"}, Case{3, "NXDOMAIN"}, Case{5, "REFUSED"}, Case{16, "BADVERS"},
        Case{23, "BADCOOKIE"}, Case{15, "RCODE15"}, Case{4095, "RCODE4095"}}) {
    CHECK(to_text(static_cast<Rcode>(c.number)) == c.text);
  }
}

TEST_CASE("rcodes without a name above the last one that has one are counted in one place") {
  struct Case {
    unsigned number;
    std::size_t place;
    std::string text;
  };
  for (const Case& c : {Case{0, 0, "NOERROR"}, Case{15, 15, "RCODE15"}, Case{23, 23, "BADCOOKIE"},
                        Case{24, OtherRcodes, "other"}, Case{4095, OtherRcodes, "other"}}) {
    CHECK(rcode_place(static_cast<Rcode>(c.number)) == c.place);
    CHECK(rcode_place_to_text(c.place) == c.text);
  }
}

}  // namespace waypost::dns
