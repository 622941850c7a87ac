#include "base/log_format.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

namespace waypost::log {
namespace {

using std::chrono::milliseconds;

const std::chrono::system_clock::time_point Time{milliseconds(1'767'225'599'007)};

std::string message_of(std::string_view text) {
  const std::string line = json_line(Time, "info", text, {});
  const std::string head = R"({"time":"2025-12-31T23:59:59.007Z","level":"info","message":)";
  REQUIRE(line.starts_with(head));
  REQUIRE(line.ends_with("}"));
  return line.substr(head.size(), line.size() - head.size() - 1);
}

}  // namespace

TEST_CASE("a line of the log as JSON has time, level and message") {
  CHECK(json_line(Time, "warn", "ready", {}) ==
        R"({"time":"2025-12-31T23:59:59.007Z","level":"warn","message":"ready"})");
}

TEST_CASE("what JSON does not allow in a string is escaped") {
  struct Case {
    std::string_view text;
    std::string_view json;
  };
  using namespace std::string_view_literals;
  for (const Case& each : {
           Case{"", R"("")"},
           Case{"a \"b\" c\\d", R"("a \"b\" c\\d")"},
           Case{"two\nlines\t", R"("two\u000alines\u0009")"},
           Case{"nul \0."sv, R"("nul \u0000.")"},
           Case{"Gr\xC3\xB6\xC3\x9F"
                "e \xE2\x82\xAC \xF0\x9F\x98\x80",
                "\"Gr\xC3\xB6\xC3\x9F"
                "e \xE2\x82\xAC \xF0\x9F\x98\x80\""},
       }) {
    CHECK(message_of(each.text) == each.json);
  }
}

TEST_CASE("a line of the log as text has time, level and message") {
  CHECK(text_line(Time, "warn", "ready", {}) == "2025-12-31T23:59:59.007Z warn ready");
}

TEST_CASE("whatever is quoted, a line is one line and cannot look like another one") {
  using namespace std::string_view_literals;
  const std::string head = "2025-12-31T23:59:59.007Z info ";
  const std::string forged = "x\n2026-01-01T00:00:00.000Z info all is well";
  CHECK(text_line(Time, "info", forged, {}) ==
        head + "x\\x0a2026-01-01T00:00:00.000Z info all is well");
  CHECK(text_line(Time, "info",
                  "\x1b[2J\r\0\x7f Gr\xC3\xB6\xC3\x9F"
                  "e"sv,
                  {}) == head +
                             "\\x1b[2J\\x0d\\x00\\x7f Gr\xC3\xB6\xC3\x9F"
                             "e");
  const std::array fields{Field{"name", "a b=\"c\"\n\xff"}, Field{"empty", ""},
                          Field{"size", std::uint64_t{18'446'744'073'709'551'615U}}};
  CHECK(text_line(Time, "info", "query", fields) ==
        head + "query name=a\\x20b\\x3d\\x22c\\x22\\x0a\\xff empty=\"\" size=18446744073709551615");
  CHECK(json_line(Time, "info", "query", fields) ==
        R"({"time":"2025-12-31T23:59:59.007Z","level":"info","message":"query",)"
        "\"name\":\"a b=\\\"c\\\"\\u000a\uFFFD\",\"empty\":\"\",\"size\":18446744073709551615}");
}

TEST_CASE("octets that are no UTF-8 are replaced one by one") {
  const std::string replaced = "\uFFFD";
  for (const std::string_view bad : {
           "\x80",              // A continuation alone.
           "\xC3",              // Cut.
           "\xC0\xAF",          // Longer than need be.
           "\xE0\x80\xAF",      // The same.
           "\xED\xA0\x80",      // A surrogate.
           "\xF0\x80\x80\x80",  // Longer than need be.
           "\xF4\x90\x80\x80",  // Above U+10FFFF.
           "\xFF",
       }) {
    std::string expected = "\"a";
    for (std::size_t i = 0; i < bad.size(); ++i) {
      expected += replaced;
    }
    CHECK(message_of("a" + std::string(bad) + "b") == expected + "b\"");
  }
}

}  // namespace waypost::log
