#include "dns/name.h"

#include "dns/query.h"
#include "dns/types.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace waypost::dns {

namespace {

Name name(std::string_view text) {
  const Result<Name> result = Name::from_text(text);
  REQUIRE_MESSAGE(result, std::string(text));
  return *result;
}

std::string repeated(std::string_view part, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) {
    text += part;
  }
  return text;
}

// Four labels that make a name of 255 octets with the root: 3 * 64 + 62 + 1.
std::string longest_name() {
  return repeated(std::string(63, 'a') + ".", 3) + std::string(61, 'b') + ".";
}

}  // namespace

TEST_CASE("names in presentation form become wire form and print canonically") {
  struct Case {
    std::string text;
    std::string wire;     // Hexadecimal.
    std::string printed;  // Empty: as `text`.
  };
  for (const Case& c : {
           Case{".", "00", ""},
           Case{"web.shop.", "03776562 0473686f70 00", ""},
           Case{"web.shop", "03776562 0473686f70 00", "web.shop."},
           Case{"WeB.", "03576542 00", ""},
           Case{"_http._tcp.x.", "055f68747470 045f746370 0178 00", ""},
           Case{"a\\.b.", "03612e62 00", ""},
           Case{"\\097.", "0161 00", "a."},
           Case{"\\000\\255\\032.", "0300ff20 00", ""},
           Case{"a\\\\b\\\".", "04615c6222 00", ""},
           Case{"\\(\\)\\;\\@\\$.", "0528293b4024 00", ""},
           Case{"\\x.", "0178 00", "x."},
           Case{"*.x.", "012a 0178 00", ""},
       }) {
    CAPTURE(c.text);
    const Result<Name> read = Name::from_text(c.text);
    REQUIRE(read);
    CHECK(test::hexdump(read->wire()) == test::hexdump(test::from_hex(c.wire)));
    CHECK(read->to_text() == (c.printed.empty() ? c.text : c.printed));
    const Result<Name> again = Name::from_wire(read->wire());
    REQUIRE(again);
    CHECK(*again == *read);
    CHECK(Name::from_text(read->to_text()).value().to_text() == read->to_text());
  }
}

TEST_CASE("text that is no name is refused with the reason") {
  struct Case {
    std::string text;
    std::string reason;
  };
  for (const Case& c : {
           Case{"", "empty"},
           Case{"..", "label is empty"},
           Case{".a", "label is empty"},
           Case{"a..b", "label is empty"},
           Case{"a..", "label is empty"},
           Case{"a\\", "backslash"},
           Case{"a\\25", "three digits"},
           Case{"a\\2x5", "three digits"},
           Case{"a\\256", "above 255"},
           Case{"a b", "printable ASCII"},
           Case{"a\n", "printable ASCII"},
           Case{"caf\xc3\xa9.", "printable ASCII"},
           Case{std::string(64, 'a'), "63 octets"},
           Case{longest_name() + "c", "255 octets"},
       }) {
    CAPTURE(c.text);
    const Result<Name> read = Name::from_text(c.text);
    REQUIRE_FALSE(read);
    CAPTURE(read.error().message);
    CHECK(read.error().message.find(c.reason) != std::string::npos);
    CHECK(read.error().message.size() < 200);
  }
}

TEST_CASE("labels of 63 octets and names of 255 are the longest") {
  CHECK(Name::from_text(std::string(63, 'a')));
  const Result<Name> longest = Name::from_text(longest_name());
  REQUIRE(longest);
  CHECK(longest->size() == MaxNameSize);
  CHECK_FALSE(Name::from_text(repeated(std::string(63, 'a') + ".", 3) + std::string(62, 'b')));
  const Result<Name> most_labels = Name::from_text(repeated("a.", 127));
  REQUIRE(most_labels);
  CHECK(most_labels->label_count() == MaxLabels);
  CHECK_FALSE(Name::from_text(repeated("a.", 128)));
}

TEST_CASE("wire octets that are not exactly one uncompressed name are refused") {
  for (const char* wire :
       {"", "01", "0161", "016100 00", "0000", "c000", "0161c000", "40 00", "80 00", "3f 61 00"}) {
    CAPTURE(wire);
    CHECK_FALSE(Name::from_wire(test::from_hex(wire)));
  }
  std::vector<std::uint8_t> long_wire;
  for (int i = 0; i < 128; ++i) {
    long_wire.insert(long_wire.end(), {1, 'a'});
  }
  long_wire.push_back(0);
  CHECK_FALSE(Name::from_wire(long_wire));
}

TEST_CASE("names keep their case and compare without it") {
  CHECK(name("Web.Shop.").to_text() == "Web.Shop.");
  CHECK(name("Web.Shop.") == name("wEB.sHOP."));
  CHECK(name("Web.Shop.").lowered().to_text() == "web.shop.");
  CHECK(name("web.shop.") != name("web.shops."));
  // Not letters, though they differ by the case bit.
  CHECK(name("@.") != name("`."));
  CHECK(name("[.") != name("{."));
  // A dot in a label is not a border.
  CHECK(name("a\\.b.") != name("a.b."));
}

TEST_CASE("canonical order is by labels from the root") {
  // RFC 4034, 6.1, whose own example this is.
  const std::vector<std::string> ordered = {
      "example.",   "a.example.",       "yljkjljk.a.example.", "Z.a.example.",    "zABC.a.EXAMPLE.",
      "z.example.", "\\001.z.example.", "*.z.example.",        "\\200.z.example."};
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    for (std::size_t j = 0; j < ordered.size(); ++j) {
      CAPTURE(ordered[i]);
      CAPTURE(ordered[j]);
      CHECK((name(ordered[i]) <=> name(ordered[j])) == (i <=> j));
    }
  }
  CHECK(Name() < name("a."));
  CHECK(name("ab.") > name("a."));
  CHECK((name("A.B.") <=> name("a.b.")) == 0);
}

TEST_CASE("a name is within itself and its ancestors, by whole labels") {
  struct Case {
    std::string name;
    std::string ancestor;
    bool within;
  };
  for (const Case& c : {
           Case{"a.b.c.", "b.c.", true},
           Case{"a.b.c.", "B.C.", true},
           Case{"a.b.c.", "a.b.c.", true},
           Case{"a.b.c.", ".", true},
           Case{".", ".", true},
           Case{".", "a.", false},
           Case{"b.c.", "a.b.c.", false},
           Case{"xb.c.", "b.c.", false},
           Case{"a.b.c.", "a.b.", false},
           // The octets of "b.c." stand at the end, but inside of a label.
           Case{"x\\001b\\001c.", "b.c.", false},
       }) {
    CAPTURE(c.name);
    CAPTURE(c.ancestor);
    CHECK(name(c.name).is_within(name(c.ancestor)) == c.within);

    NameKey key;
    key.assign(name(c.name).wire());
    CHECK(key.is_within(name(c.ancestor).lowered().wire(), name(c.ancestor).label_count()) ==
          c.within);
  }
}

TEST_CASE("parent and child step over one label") {
  CHECK(name("a.b.").parent() == name("b."));
  CHECK(name("b.").parent().is_root());
  CHECK(Name().parent().is_root());
  CHECK(name("b.").child("a").value() == name("a.b."));
  CHECK(Name().child("a.b").value().to_text() == "a\\.b.");
  CHECK_FALSE(name("b.").child(""));
  CHECK_FALSE(name("b.").child(std::string(64, 'a')));
  CHECK(name(longest_name()).parent().child(std::string(63, 'c')));
  CHECK_FALSE(name(longest_name()).child("c"));
}

TEST_CASE("a name key holds the lower-case name, its labels and its hash") {
  for (const std::string& text :
       {std::string("."), std::string("A."), std::string("ABCDEF."), std::string("ABCDEFG.x."),
        std::string("Web.Shop.SVC.Cluster.Local."), std::string("a.Bc.DEf.ghIJ.\\200K."),
        longest_name(), repeated("Q.", 127)}) {
    CAPTURE(text);
    const Name given = name(text);
    const Name lower = given.lowered();
    // A block of its exact size, so that a read past the end is seen by the sanitizer.
    const std::vector<std::uint8_t> exact(given.wire().begin(), given.wire().end());
    NameKey key;
    key.octets.fill(0xee);
    key.assign(exact);
    CHECK(test::hexdump(key.wire()) == test::hexdump(lower.wire()));
    CHECK(key.hash == hash_name(lower.wire()));
    REQUIRE(key.label_count == given.label_count());
    Name rest = lower;
    for (std::size_t i = 0; i < key.label_count; ++i) {
      CHECK(test::hexdump(key.suffix(i)) == test::hexdump(rest.wire()));
      CHECK(key.label(i).size() == rest.wire()[0]);
      CHECK(key.label(i).data() == key.suffix(i).data() + 1);
      rest = rest.parent();
    }
    CHECK(key.suffix(key.label_count).size() == 1);
  }
}

TEST_CASE("every octet of a name changes its hash, and nothing behind the name does") {
  std::vector<std::uint8_t> wire = {3,   'w', 'e', 'b', 4,   's', 'h', 'o', 'p', 7,   'c', 'l',
                                    'u', 's', 't', 'e', 'r', 5,   'l', 'o', 'c', 'a', 'l', 0};
  for (std::size_t size = 1; size <= wire.size(); ++size) {
    CAPTURE(size);
    std::vector<std::uint8_t> part(wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(size));
    const std::uint64_t hash = hash_name(part);
    std::vector<std::uint8_t> followed = part;
    followed.resize(size + 32, 0xa5);
    CHECK(hash_name(Bytes(followed).first(size)) == hash);
    for (std::size_t i = 0; i < size; ++i) {
      for (const int bit : {0, 3, 7}) {
        part[i] = static_cast<std::uint8_t>(part[i] ^ (1 << bit));
        CHECK(hash_name(part) != hash);
        part[i] = static_cast<std::uint8_t>(part[i] ^ (1 << bit));
      }
    }
  }
}

TEST_CASE("hashes of similar names spread over all bits") {
  // 10 000 Services: each of the 64 bits is set in about half of the hashes.
  std::set<std::uint64_t> hashes;
  std::vector<int> ones(64);
  constexpr int Count = 10000;
  for (int i = 0; i < Count; ++i) {
    const std::uint64_t hash =
        hash_name(name("svc-" + std::to_string(i) + ".ns.svc.cluster.local.").wire());
    hashes.insert(hash);
    for (std::size_t bit = 0; bit < 64; ++bit) {
      ones[bit] += static_cast<int>((hash >> bit) & 1);
    }
  }
  CHECK(hashes.size() == Count);
  // Ten standard deviations of 50 to both sides: no chance of a false alarm with a random key.
  CHECK(std::ranges::min(ones) > Count / 2 - 500);
  CHECK(std::ranges::max(ones) < Count / 2 + 500);
}

}  // namespace waypost::dns
