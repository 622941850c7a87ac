#include "policy/pattern.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::policy {
namespace {

using Outcome = Pattern::Outcome;

TEST_CASE("a pattern matches anywhere, in any case, and tells its groups") {
  const auto pattern = Pattern::compile(R"((?<host>[a-z]+)-(\d+)(-x)?\.example\.org\.$)");
  REQUIRE(pattern);
  PatternRoom room;
  const std::string name = "WEB-12.example.org.";
  REQUIRE((*pattern)->match(name, room) == Outcome::Match);
  CHECK(room.group(name, 0) == name);
  CHECK(room.group(name, 1) == "WEB");
  CHECK(room.group(name, 2) == "12");
  CHECK(room.group(name, 3).empty());
  CHECK((*pattern)->group_count() == 3);
  CHECK((*pattern)->group("host") == std::optional<std::size_t>(1));
  CHECK_FALSE((*pattern)->group("other"));
  CHECK((*pattern)->match("web-12.example.org.x", room) == Outcome::NoMatch);
  CHECK((*pattern)->match("web-12.example.org.\n", room) == Outcome::NoMatch);
}

TEST_CASE("a pattern that tries everything with everything gives up, and the next match is good") {
  const auto pattern = Pattern::compile(R"(^(([a-z0-9]+)+)*$)");
  REQUIRE(pattern);
  PatternRoom room;
  const std::string name = std::string(62, 'a') + "." + std::string(62, 'b') + ".";
  for (int i = 0; i < 100; ++i) {
    CHECK((*pattern)->match(name, room) == Outcome::GaveUp);
  }
  CHECK((*pattern)->match("aaa", room) == Outcome::Match);
}

TEST_CASE("what is no regular expression, too long or too rich is refused and told") {
  CHECK(Pattern::compile("a(").error().message ==
        "'a(' is no regular expression: missing closing parenthesis at octet 3");
  CHECK_FALSE(Pattern::compile("[z-a]"));
  CHECK_FALSE(Pattern::compile(R"(\C)"));
  CHECK_FALSE(Pattern::compile("(*UTF)a"));
  CHECK(Pattern::compile(std::string(Pattern::MaxSize, 'a')));
  CHECK_FALSE(Pattern::compile(std::string(Pattern::MaxSize + 1, 'a')));
  std::string groups;
  for (std::size_t i = 0; i < Pattern::MaxGroups; ++i) {
    groups += "(a)?";
  }
  CHECK(Pattern::compile(groups));
  CHECK_FALSE(Pattern::compile(groups + "(a)"));
}

}  // namespace
}  // namespace waypost::policy
