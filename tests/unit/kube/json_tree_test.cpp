#include "kube/json_tree.h"

#include "support/tree_text.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::kube {
namespace {

std::string read(std::string_view json, JsonScope scope = JsonScope::Everything) {
  JsonTreeReader reader;
  Tree tree;
  // On the heap and without room behind it, so that reading beyond the end is found out.
  const std::string text(json);
  const auto done = reader.read(text, scope, tree);
  return done ? test::show(tree.root()) : "! " + done.error().message;
}

std::string repeat(std::string_view text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) {
    result += text;
  }
  return result;
}

}  // namespace

TEST_CASE("JSON becomes trees") {
  struct Case {
    std::string json;
    std::string tree;
  };
  for (const Case& c : {
           Case{"{}", "{}"},
           Case{"[]", "[]"},
           Case{" {\"a\" : \"b\" } \n", "{a: 'b'}"},
           Case{"[1, -0, 1.5e+3, 12345678901234567890123]",
                "[1, -0, 1.5e+3, 12345678901234567890123]"},
           Case{"[true ,false, null\t]", "[true, false, null]"},
           Case{"{\"a\":{\"b\":[{},[],{\"c\":\"\"}]}}", "{a: {b: [{}, [], {c: ''}]}}"},
           Case{R"(["\"\\\/\b\f\n\r\t","\u0041\u00e4\u20ac\ud83d\ude00"])",
                "['\"\\/\b\f\n\r\t', 'A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80']"},
           Case{R"({"k\u0065y":"v","\"":"w","x":"\u0000"})",
                std::string("{key: 'v', \": 'w', x: '\0'}", 26)},
           Case{"{\"\xc3\xa4\":\"\xf0\x9f\x98\x80\"}", "{\xc3\xa4: '\xf0\x9f\x98\x80'}"},
       }) {
    CAPTURE(c.json);
    CHECK(read(c.json) == c.tree);
  }
}

TEST_CASE("what is no JSON is refused") {
  for (const std::string json : {
           "",
           " ",
           "{",
           "[",
           "}",
           "{]",
           "[}",
           "[1,]",
           "[,1]",
           "[1 2]",
           "{\"a\"}",
           "{\"a\":}",
           "{\"a\":1,}",
           "{a:1}",
           "{\"a\" 1}",
           "{1:2}",
           "[tru]",
           "[truefalse]",
           "[nul]",
           "[NaN]",
           "[01]",
           "[1.]",
           "[.5]",
           "[-]",
           "[+1]",
           "[1e]",
           "[0x10]",
           "['a']",
           "[\"a]",
           "[\"\\x\"]",
           "[\"\\u12\"]",
           "[\"\\ud800\"]",
           "{\"\\x\":1}",
           "{} {}",
           "{}x",
           "[]]",
           "\"a\"",
           "1",
           "null",
           "[\"a\tb\"]",
           "[\"a\nb\"]",
           "[\"\xff\"]",
           "[\"\xc3\"]",
           "[\"\xed\xa0\x80\"]",
           "[1]/**/",
           "\xef\xbb\xbf{}",
           "{\"a\":\"b\":1}",
           "{\"a\":\"b\" \"c\":1}",
           "[\"a\":1]",
           "[\"a\" \"b\"]",
           "{\"a\":\"b\"]}",
           "{\"a\":\"b\":\"c\",\"d\"]}",
           "{\"a\":true:1}",
           "{\"a\":{}:1}",
           "{\"a\":1 \"b\":2}",
       }) {
    CAPTURE(json);
    CHECK(read(json).starts_with("! not "));
  }
}

TEST_CASE("JSON that is cut off anywhere is refused") {
  const std::string json =
      R"({"kind":"Service","n":[1,true,null,{"a":"\u00e4\"}"}],"metadata":{"name":"web"}})";
  REQUIRE(read(json).front() == '{');
  for (std::size_t size = 0; size < json.size(); ++size) {
    CAPTURE(size);
    REQUIRE(read(json.substr(0, size)).starts_with("! not JSON"));
  }
}

TEST_CASE("a JSON key that comes twice is found") {
  JsonTreeReader reader;
  Tree tree;
  std::string many = "{\"a\":{\"x\":1,\"y\":2,\"x\":3},\"b\":{";
  for (int i = 0; i < 30; ++i) {
    many += "\"k" + std::to_string(i) + "\":0,";
  }
  many += "\"k7\":0},\"c\":{\"x\":1,\"X\":2}}";
  REQUIRE(reader.read(many, JsonScope::Everything, tree));
  CHECK(tree.root().repeated_key().type() == TreeType::Absent);
  CHECK(tree.root().find("a").repeated_key().text() == "x");
  CHECK(tree.root().find("b").repeated_key().text() == "k7");
  CHECK(tree.root().find("c").repeated_key().type() == TreeType::Absent);
}

TEST_CASE("what no decoder reads of an object stays out of the tree") {
  const std::string object =
      R"({"kind":"Pod","metadata":{"annotations":{"a":"1","k8s.io/initial-events-end":"true","b":{}},)"
      R"("managedFields":[{"f:spec":{"k:{\"port\":80}":{}}}],"name":"p","ownerReferences":[{}]},)"
      R"("managedFields":1,"spec":{"volumes":[1],"hostname":"h","annotations":{"a":"2"}},)"
      R"("status":{"images":[],"phase":"Running"},"annotations":{"a":{"a":3}}})";
  CHECK(read(object, JsonScope::Object) ==
        "{kind: 'Pod', metadata: {annotations: {k8s.io/initial-events-end: 'true'}, name: 'p'}, "
        "managedFields: 1, spec: {hostname: 'h', annotations: {}}, status: {phase: 'Running'}, "
        "annotations: {a: {a: 3}}}");
  CHECK(read(object, JsonScope::Metadata) ==
        "{metadata: {annotations: {k8s.io/initial-events-end: 'true'}, name: 'p'}}");
  CHECK(read(R"({"endpoints":[{"targetRef":{"uid":"u","kind":"Pod","namespace":"n","name":"p"},)"
             R"("uid":1}],"targetRef":{"uid":2}})",
             JsonScope::Object) ==
        "{endpoints: [{targetRef: {kind: 'Pod', name: 'p'}, uid: 1}], targetRef: {uid: 2}}");
  CHECK(read(object).find("managedFields: [{f:spec: {k:{\"port\":80}: {}}}]") != std::string::npos);
}

TEST_CASE("the depth and the size of JSON are bounded") {
  CHECK(read(repeat("[", MaxTreeDepth) + repeat("]", MaxTreeDepth)).starts_with("[["));
  CHECK(read(repeat("[", MaxTreeDepth + 1) + repeat("]", MaxTreeDepth + 1)) ==
        "! values are nested deeper than 64");
  CHECK(read(repeat("{\"a\":", 100'000) + "1" + repeat("}", 100'000)) ==
        "! values are nested deeper than 64");
  // What is stepped over may be as deep as it likes.
  const std::string deep = repeat("[", 100'000) + repeat("]", 100'000);
  CHECK(read("{\"metadata\":{\"managedFields\":" + deep + ",\"name\":\"x\"}}", JsonScope::Object) ==
        "{metadata: {name: 'x'}}");
  const std::string largest = "[\"" + std::string(MaxJsonSize - 4, 'x') + "\"]";
  CHECK(read(largest).starts_with("['xxx"));
  CHECK(read(largest + " ") == "! longer than 4194304 octets");
  // Texts of nothing but escapes and nothing but values.
  CHECK(read("[\"" + repeat("\\n", 100'000) + "\"]") == "['" + std::string(100'000, '\n') + "']");
  CHECK(read("[1" + repeat(",1", 1'000'000) + "]").starts_with("[1, 1"));
}

TEST_CASE("a reader reads one text after the other") {
  JsonTreeReader reader;
  Tree tree;
  for (const std::size_t size : {10U, 100'000U, 3U, 70'000U, 1U}) {
    const std::string json = "[\"" + std::string(size, 'x') + "\",\"\\n\"]";
    REQUIRE(reader.read(json, JsonScope::Everything, tree));
    CHECK(test::show(tree.root()) == "['" + std::string(size, 'x') + "', '\n']");
    CHECK_FALSE(reader.read("[\"" + std::string(size, 'x'), JsonScope::Everything, tree));
  }
}

}  // namespace waypost::kube
