#include "kube/yaml_tree.h"

#include "support/tree_text.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::kube {
namespace {

using test::show;

// All documents, one a line; the message of a failure last.
std::string read(std::string_view yaml) {
  YamlStream stream(yaml);
  Tree tree;
  std::string text;
  for (;;) {
    const auto more = stream.next(tree);
    if (!more) {
      return text + "! " + more.error().message;
    }
    if (!*more) {
      return text;
    }
    text += show(tree.root()) + "\n";
  }
}

std::string repeat(std::string_view text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) {
    result += text;
  }
  return result;
}

}  // namespace

TEST_CASE("documents become trees") {
  struct Case {
    std::string yaml;
    std::string tree;
  };
  for (const Case& c : {
           Case{"", ""},
           Case{"# nothing\n", ""},
           Case{"a: b\n", "{a: 'b'}\n"},
           Case{"a: {b: [1, 'two', true, ~]}\n", "{a: {b: [1, 'two', true, null]}}\n"},
           Case{"a:\n- b: c\n  d:\n- e\n", "{a: [{b: 'c', d: null}, 'e']}\n"},
           Case{"a: 1\n---\nb: 2\n---\n---\n- c\n", "{a: 1}\n{b: 2}\nnull\n['c']\n"},
           Case{"{\"a\":\"b\",\n\t\"c\":[1,2],\"d\":{}}", "{a: 'b', c: [1, 2], d: {}}\n"},
           Case{"{}{}", "{}\n{}\n"},
           Case{"a: |\n  x\n  y\n", "{a: 'x\ny\n'}\n"},
           Case{"a: |+\n  x\n", "{a: 'x\n'}\n"},
           Case{"a: |+\n  x\n\n", "{a: 'x\n\n'}\n"},
           Case{"a: |-\n  x\n", "{a: 'x'}\n"},
           Case{"{a: 1}\n", "{a: 1}\n"},
           Case{"a: !!str 80\nb: !!int \"80\"\n", "{a: '80', b: 80}\n"},
           Case{"a: &x {b: 1}\nc: *x\n", "{a: {b: 1}, c: {b: 1}}\n"},
           Case{"a: &x b\nc: [*x, *x]\n", "{a: 'b', c: ['b', 'b']}\n"},
           Case{"\xef\xbb\xbf"
                "a: \xc3\xa4\n",
                "{a: '\xc3\xa4'}\n"},
       }) {
    CAPTURE(c.yaml);
    CHECK(read(c.yaml) == c.tree);
  }
}

TEST_CASE("a document that begins with a brace or a bracket is what it is behind dashes") {
  for (const std::string text : {
           "{}",
           "[]",
           "{a: b}",
           "[1, {b: [2, {c: d}]}, [[]]]",
           "  {a: 1,\n b: 2}\n",
           "\n\n{\"a\": {\"b\": [1, \"2\", null, true]},\n\"c\": {}\n}\n\n",
           "{a: &x {b: 1}, c: *x, <<: {d: 4}}",
           "{a: 1, a: 2}",
           "{a: 1} # a comment\n# another\n",
           "{a: 1}\n---\nb: 2\n---\n[3]\n",
           "{a: 1}\n...\n",
           // More of them without anything in between, and what makes no document.
           "{}{}",
           "[1][2]\n",
           "{a: 1}\n{b: 2}\n",
           "{a: b}: c\n",
           "{a: 1}\nb: 2\n",
           "{a: [1}",
           "[1",
           "{a: 'x",
           "}",
       }) {
    CAPTURE(text);
    // The line break keeps errors at their line; dashes alone would be at it.
    const std::string got = read(text);
    std::string expected = read("---\n" + text);
    if (const std::size_t at = expected.find("! line "); at != std::string::npos) {
      std::size_t end = at + 7;
      const int line = std::stoi(expected.substr(end));
      end = expected.find(',', end);
      expected.replace(at + 7, end - at - 7, std::to_string(line - 1));
    }
    CHECK(got == expected);
  }
}

TEST_CASE("the merge key adds what is not there") {
  struct Case {
    std::string yaml;
    std::string tree;
  };
  for (const Case& c : {
           Case{"a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n", "{a: {p: 1, q: 2}, b: {q: 3, p: 1}}\n"},
           Case{"a: &x {p: 1}\nb: {q: 3, <<: *x}\n", "{a: {p: 1}, b: {q: 3, p: 1}}\n"},
           Case{"a: &x {p: 1}\nb: {<<: *x}\n", "{a: {p: 1}, b: {p: 1}}\n"},
           Case{"a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc: {<<: [*x, *y]}\n",
                "{a: {p: 1}, b: {p: 2, q: 2}, c: {p: 1, q: 2}}\n"},
           Case{"a: {<<: {p: {q: 1}}, r: 2}\n", "{a: {r: 2, p: {q: 1}}}\n"},
           Case{"a: {<<: 1}\n", "{a: {<<: 1}}\n"},
       }) {
    CAPTURE(c.yaml);
    CHECK(read(c.yaml) == c.tree);
  }
}

TEST_CASE("plain scalars have the types that kubectl gives them") {
  for (const char* text : {"true", "False", "on", "Off", "y", "N", "yes", "NO"}) {
    CAPTURE(text);
    CHECK(classify_plain_scalar(text) == TreeType::Boolean);
  }
  for (const char* text : {"0", "80", "-1", "+1", "1.10", ".5", "5.", "1e3", "12e45", "0x1F",
                           "0o17", "0b11", "010", "080", "1_000", ".inf", "-.Inf", ".nan"}) {
    CAPTURE(text);
    CHECK(classify_plain_scalar(text) == TreeType::Number);
  }
  for (const char* text : {"", "~", "null", "Null", "NULL"}) {
    CAPTURE(text);
    CHECK(classify_plain_scalar(text) == TreeType::Null);
  }
  for (const char* text :
       {"web",   "oN",   "nULL", "10.96.0.1", "2024-05-01", "2024-05-01T10:00:00Z",
        "1.2.3", "e3",   "1e",   "0xZ",       "0x",         "-",
        "+",     ".",    "--1",  "1:30",      "fd00::1",    "_1",
        "tRUE",  "0b12", "1e+"}) {
    CAPTURE(text);
    CHECK(classify_plain_scalar(text) == TreeType::String);
  }
}

TEST_CASE("a key that comes twice is found") {
  Tree tree;
  YamlStream stream("a: 1\nb: 2\nc: 3\nb: 4\nd: {b: 5}\n");
  REQUIRE(stream.next(tree).value());
  CHECK(tree.root().repeated_key().text() == "b");
  CHECK(tree.root().repeated_key().line() == 4);
  CHECK(tree.root().find("d").repeated_key().type() == TreeType::Absent);
}

TEST_CASE("nodes know their lines") {
  Tree tree;
  YamlStream stream("---\na: 1\nb:\n  c:\n  - x\n  - y\n---\nd: 1\n");
  REQUIRE(stream.next(tree).value());
  CHECK(tree.root().line() == 2);
  CHECK(tree.root().find("b").find("c").first_child().next_sibling().line() == 6);
  CHECK(tree.root().find("e").line() == 0);
  REQUIRE(stream.next(tree).value());
  CHECK(tree.root().line() == 8);
}

TEST_CASE("what is no YAML is refused with line and column") {
  struct Case {
    std::string yaml;
    std::string message;  // How it begins.
  };
  for (const Case& c : {
           Case{"a: [1, 2\n", "! line 1, column 9: not YAML: "},
           Case{"a: 1\nb: {c: d\ne: f\n", "! line 3, column 2: not YAML: "},
           Case{"a: 'x\n", "! line 1, column 6: not YAML: "},
           Case{"a: \"x\n\n", "! line 1, column 6: not YAML: "},
           Case{"a: *x\n", "! line 1, column 4: not YAML: "},
           Case{"a: b: c\n", "! line 1, column 5: not YAML: "},
           Case{"\tb: c\n", "! line 1, column 3: not YAML: "},
           Case{"]", "! line 1, column 1: not YAML: "},
           Case{"a: b\n---\n]\n", "{a: 'b'}\n! line 3, column 1: not YAML: "},
           Case{"a: 1\nb: \x04\n", "! line 2, column 4: a control character"},
           Case{"a: \x7f\n", "! line 1, column 4: a control character"},
           Case{"{\"a\": \x01}", "! line 1, column 7: a control character"},
           Case{"\n {\n\"a\": \x01}", "! line 3, column 6: a control character"},
           Case{"\xff\xfe"
                "a",
                "! line 1, column 1: a control character or an octet that is not UTF-8"},
           Case{"a: &x [*x]\n", "! line 1, column 8: an alias stands inside the value"},
       }) {
    CAPTURE(c.yaml);
    const std::string got = read(c.yaml);
    CAPTURE(got);
    CAPTURE(c.message);
    CHECK(got.starts_with(c.message));
  }
}

TEST_CASE("depth, size and aliases are bounded") {
  CHECK(read(repeat("[", MaxTreeDepth) + repeat("]", MaxTreeDepth)).starts_with("["));
  CHECK(read(repeat("[", MaxTreeDepth + 1)).find("nested deeper than 64") != std::string::npos);
  // A document in braces or brackets is read behind a key of our own, which nobody sees.
  CHECK(read(repeat("[", MaxTreeDepth + 1) + repeat("]", MaxTreeDepth + 1))
            .starts_with("! line 1, column 65: values are nested"));
  CHECK(read("\n " + repeat("[\n", MaxTreeDepth + 1) + repeat("]", MaxTreeDepth + 1))
            .starts_with("! line 66, column 1: values are nested"));
  CHECK(read(repeat("- ", 100'000)).find("nested deeper than 64") != std::string::npos);
  CHECK(read(repeat("{a: ", 100'000)).find("nested deeper than 64") != std::string::npos);
  CHECK(read(repeat("? ", 100'000)).find("nested deeper than 64") != std::string::npos);

  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    const std::string own = std::to_string(i);
    laughs += "a" + own + ": &a" + own + " [" + before + repeat(", " + before, 9) + "]\n";
  }
  CHECK(read(laughs).find("aliases expand to more than 100000 values") != std::string::npos);
}

TEST_CASE("nothing can be read after a failure") {
  YamlStream stream("a: [\n---\nb: 1\n");
  Tree tree;
  CHECK_FALSE(stream.next(tree));
  const auto again = stream.next(tree);
  REQUIRE(again);
  CHECK_FALSE(*again);
}

}  // namespace waypost::kube
