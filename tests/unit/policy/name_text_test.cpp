#include "policy/name_text.h"

#include "dns/name.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

namespace waypost::policy {
namespace {

std::string told(Bytes wire) {
  TextBuffer text;
  text.add_name(wire);
  REQUIRE(text.is_good());
  return std::string(text.text());
}

TEST_CASE("texts and names say the same as dns::Name") {
  std::mt19937 random(7);
  std::array<std::uint8_t, dns::MaxNameSize> wire;
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    const std::size_t size = random() % 90;
    for (std::size_t at = 0; at < size; ++at) {
      text += "ab.\\0123$-"[random() % 10];
    }
    CAPTURE(text);
    const auto expected = dns::Name::from_text(text);
    const std::size_t got = name_from_text(text, wire);
    REQUIRE(expected.has_value() == (got != 0));
    if (expected) {
      REQUIRE(std::ranges::equal(Bytes(wire).first(got), expected->wire()));
      REQUIRE(told(expected->wire()) == expected->to_text());
    }
  }
}

TEST_CASE("names have 255 octets and labels 63, no more") {
  std::array<std::uint8_t, dns::MaxNameSize> wire;
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  CHECK(name_from_text(longest, wire) == 255);
  CHECK(name_from_text(longest + ".", wire) == 255);
  CHECK(name_from_text(longest + "a", wire) == 0);
  CHECK(name_from_text(label + "a", wire) == 0);
  CHECK(name_from_text(".", wire) == 1);
  for (const char* text : {"", "..", ".a", "a..b", "a\\", "a\\25", "a\\256", "a\\1x3"}) {
    CAPTURE(text);
    CHECK(name_from_text(text, wire) == 0);
  }
}

TEST_CASE("a text that is too long is no good") {
  TextBuffer text;
  text.add(std::string(TextBuffer::Size, 'a'));
  CHECK(text.is_good());
  text.add('a');
  CHECK_FALSE(text.is_good());
  text.clear();
  CHECK(text.is_good());
}

}  // namespace
}  // namespace waypost::policy
