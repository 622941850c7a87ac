#include "policy/words.h"

#include <doctest/doctest.h>

namespace waypost::policy {
namespace {

using Words = std::vector<std::string>;

TEST_CASE("a rule's words are separated by blanks, and quotes keep them together") {
  struct Case {
    const char* text;
    Words words;
  };
  for (const Case& c : std::vector<Case>{
           {"", {}},
           {" \t ", {}},
           {"block  type\tANY ", {"block", "type", "ANY"}},
           {R"(answer "a b" c)", {"answer", "a b", "c"}},
           {R"(answer 'a "b"')", {"answer", "a \"b\""}},
           {R"("a \"b\" \\ \d")", {"a \"b\" \\ \\d"}},
           {R"('a\' b)", {"a\\", "b"}},
           {R"((.*)\.corp it's)", {"(.*)\\.corp", "it's"}},
           {R"("" x)", {"", "x"}},
       }) {
    CAPTURE(c.text);
    const auto words = words_of(c.text);
    REQUIRE(words);
    CHECK(*words == c.words);
  }
}

TEST_CASE("a quote without end and a rule that is too long are refused") {
  CHECK(words_of("answer \"a b").error().message == "no \" ends what begins with one");
  CHECK(words_of("answer 'a \"").error().message == "no ' ends what begins with one");
  CHECK(words_of(std::string(MaxRuleSize, 'a')));
  CHECK_FALSE(words_of(std::string(MaxRuleSize + 1, 'a')));
}

}  // namespace
}  // namespace waypost::policy
