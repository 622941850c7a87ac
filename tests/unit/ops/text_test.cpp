#include "ops/text.h"

#include "support/temporary_folder.h"

#include <doctest/doctest.h>

#include <cstdint>

namespace waypost::ops {

TEST_CASE("a duration is a whole number with a unit") {
  struct Case {
    const char* text;
    std::int64_t milliseconds;  // -1: not a duration.
  };
  for (const Case& c : {
           Case{"500ms", 500},
           Case{"10s", 10'000},
           Case{"2m", 120'000},
           Case{"1h", 3'600'000},
           Case{"0s", 0},
           Case{"10", -1},
           Case{"s", -1},
           Case{"", -1},
           Case{"-1s", -1},
           Case{"1.5s", -1},
           Case{"1m30s", -1},
           Case{"10 s", -1},
           Case{"10S", -1},
           Case{"99999999999999999h", -1},
           Case{"99999999999999999999999s", -1},
       }) {
    CAPTURE(c.text);
    const auto duration = duration_from_text(c.text);
    CHECK((duration ? duration->count() : -1) == c.milliseconds);
  }
}

TEST_CASE("a number is decimal digits and nothing else") {
  CHECK(number_from_text("0") == 0U);
  CHECK(number_from_text("18446744073709551615") == UINT64_MAX);
  for (const char* text :
       {"", "+1", "-1", " 1", "1 ", "0x10", "1e3", "1.0", "18446744073709551616"}) {
    CAPTURE(text);
    CHECK_FALSE(number_from_text(text).has_value());
  }
}

TEST_CASE("a cookie secret is 32 hex digits, whatever the case and the line end") {
  const auto secret = secret_from_text("00112233445566778899aAbBcCdDeEfF\n");
  REQUIRE(secret);
  for (std::size_t i = 0; i < secret->size(); ++i) {
    CHECK((*secret)[i] == i * 0x11);
  }
  for (const char* text :
       {"", "\n", "00", "00112233445566778899aabbccddeef", "00112233445566778899aabbccddeefff",
        "00112233445566778899aabbccddeefg", "0011223344556677 8899aabbccddeef"}) {
    CAPTURE(text);
    CHECK_FALSE(secret_from_text(text).has_value());
  }
}

TEST_CASE("a bad secret file is refused without repeating its content") {
  const test::TemporaryFolder folder;
  const auto secret = secret_from_file(folder.write("secret", "hunter2"));
  REQUIRE_FALSE(secret);
  CHECK(secret.error().message.find("hunter2") == std::string::npos);
  CHECK(secret_from_file(folder.write("good", "000102030405060708090a0b0c0d0e0f")).has_value());
  CHECK_FALSE(secret_from_file(folder.path() / "absent").has_value());
}

}  // namespace waypost::ops
