#include "policy/hosts.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::policy {
namespace {

TEST_CASE("lines of /etc/hosts are an address and its names; comments and blanks are passed over") {
  HostLines lines;
  lines.read(
      "# a comment\n"
      "127.0.0.1\tlocalhost loopback # behind it\r\n"
      "\n"
      "fe80::1%eth0 router\n"
      "::1 localhost",
      "hosts");
  CHECK(lines.problems.empty());
  REQUIRE(lines.entries.size() == 4);
  CHECK(lines.entries[1].name.to_text() == "loopback.");
  CHECK(lines.entries[2].address.to_text() == "fe80::1");
  CHECK(lines.entries[3].address.to_text() == "::1");
}

TEST_CASE("a line that is none is told with its number, and the others are good") {
  HostLines lines;
  lines.read(
      "10.0.0.1 a\nexample.org 10.0.0.2\n10.0.0.3\n10.0.0.300 b\n10.0.0.4 a..b\n10.0.0.5 c\n",
      "/etc/hosts");
  std::vector<std::string> problems;
  for (const Error& problem : lines.problems) {
    problems.push_back(problem.message);
  }
  CHECK(problems == std::vector<std::string>{
                        "/etc/hosts:2: found 'example.org', expected an address and its names",
                        "/etc/hosts:3: found '10.0.0.3' alone, expected names behind the address",
                        "/etc/hosts:4: found '10.0.0.300', expected an address and its names",
                        "/etc/hosts:5: found 'a..b', expected a name"});
  CHECK(lines.bad_lines == 4);
  CHECK(lines.entries.size() == 2);
  // What is said twice is there once.
  lines.read("10.0.0.5 C\n10.0.0.6 c\n", "more");
  CHECK(Hosts(lines, {}).entry_count() == 3);
}

TEST_CASE("there is a bound on names, and one on what is told of bad lines") {
  HostLines lines;
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text += "10.0.0.1 a b c d e f g h i j k l m n o p q r s t u v w x y z aa bb cc dd\n";
  }
  while (lines.entries.size() < HostLines::MaxNames && lines.bad_lines == 0) {
    lines.read(text, "big");
  }
  CHECK(lines.entries.size() <= HostLines::MaxNames);
  CHECK(lines.entries.size() > HostLines::MaxNames - 30);
  REQUIRE(lines.bad_lines > HostLines::MaxProblems);
  CHECK(lines.problems.size() == HostLines::MaxProblems);
  CHECK(lines.problems[0].message.ends_with(
      "found more than 250000 names in all, which are too many"));
}

dns::NameKey key_of(const char* name) {
  dns::NameKey key;
  key.assign(dns::Name::from_text(name)->wire());
  return key;
}

TEST_CASE("what hosts decide is what they have, and what they alone may have") {
  HostLines lines;
  lines.read("10.0.0.1 a.example *.wild.example\n", "hosts");
  const Hosts plain(lines, {});
  for (const char* name :
       {"a.example.", "x.wild.example.", "*.wild.example.", "1.0.0.10.in-addr.arpa."}) {
    CAPTURE(name);
    CHECK(plain.decides(key_of(name)));
  }
  for (const char* name : {"b.example.", "wild.example.", "x.y.wild.example.", "example.", ".",
                           "2.0.0.10.in-addr.arpa."}) {
    CAPTURE(name);
    CHECK_FALSE(plain.decides(key_of(name)));
  }
  const Hosts alone(lines, {.zones = {dns::Name(), *dns::Name::from_text("11.in-addr.arpa")}});
  CHECK(alone.decides(key_of("b.example.")));
  CHECK(alone.decides(key_of("1.0.0.11.in-addr.arpa.")));
  CHECK_FALSE(alone.decides(key_of("2.0.0.10.in-addr.arpa.")));
  CHECK_FALSE(alone.decides(key_of("1.ip6.arpa.")));
}

}  // namespace
}  // namespace waypost::policy
