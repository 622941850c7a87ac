#include "kube/list_reader.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace waypost::kube {
namespace {

std::string show(const Result<std::variant<ListMeta, ApiStatus>>& end) {
  if (!end) {
    return "! " + end.error().message;
  }
  const auto* meta = std::get_if<ListMeta>(&*end);
  if (meta == nullptr) {
    return std::get<ApiStatus>(*end).to_text();
  }
  std::string text = meta->kind + " @" + std::to_string(meta->resource_version) + " " +
                     std::to_string(meta->items);
  text += meta->continue_token.empty() ? "" : " continue '" + meta->continue_token + "'";
  text +=
      meta->remaining_item_count ? " remaining " + std::to_string(*meta->remaining_item_count) : "";
  return text;
}

// The elements in angle brackets, then what finish() says.
std::string read(const std::vector<std::string_view>& pieces) {
  std::string text;
  ListReader reader([&](std::string_view item) { text += "<" + std::string(item) + "> "; });
  for (const std::string_view piece : pieces) {
    const std::string own(piece);  // Gone before the next piece.
    const auto fed = reader.feed(own);
    if (!fed) {
      const auto end = reader.finish();
      CHECK_FALSE(end);
      CHECK((end || end.error().message == fed.error().message));
      CHECK_FALSE(reader.feed("{}"));
      return text + "! " + fed.error().message;
    }
  }
  return text + show(reader.finish());
}

std::string list(const std::string& items) {
  return R"({"kind":"PodList","metadata":{"resourceVersion":"5"},"items":)" + items + "}";
}

}  // namespace

TEST_CASE("a list gives its elements and its metadata") {
  struct Case {
    std::string body;
    std::string expected;
  };
  for (
      const Case& c : {
          Case{list("[]"), "PodList @5 0"},
          Case{list("null"), "PodList @5 0"},
          Case{list(" [ ] \n"), "PodList @5 0"},
          Case{list("[{}]"), "<{}> PodList @5 1"},
          Case{list("[ {\"a\": 1} ,\n{\"b\":[{}]}\t]"), "<{\"a\": 1}> <{\"b\":[{}]}> PodList @5 2"},
          Case{list(R"([{"a":"]}"},{"b":"\"},{"}])"),
               R"(<{"a":"]}"}> <{"b":"\"},{"}> PodList @5 2)"},
          Case{" \r\n\t" + list("[]") + " \n", "PodList @5 0"},
          // Metadata behind the elements, and more than this reader knows.
          Case{
              R"({"items":[{},{}],"metadata":{"continue":"a\"\u00e4","resourceVersion":"7",)"
              R"("remainingItemCount":12,"selfLink":""},"kind":"ServiceList","x":[{"items":[1]}]})",
              "<{}> <{}> ServiceList @7 2 continue 'a\"\xc3\xa4' remaining 12"},
          Case{
              R"({"kind":"XList","x":{"items":[1,2]},"y":"items","z":["items"],"items":[{"items":[]}]})",
              "<{\"items\":[]}> XList @0 1"},
          Case{R"({"kind":"XList","metadata":{"resourceVersion":null,"continue":null,)"
               R"("remainingItemCount":null},"items":[]})",
               "XList @0 0"},
          Case{R"({"kind":"Status","code":410,"reason":"Expired","message":"items\":[{}]"})",
               "410 Expired: items\":[{}]"},
      }) {
    CAPTURE(c.body);
    CHECK(read({c.body}) == c.expected);
    for (std::size_t at = 0; at <= c.body.size(); ++at) {
      const std::string_view body(c.body);
      REQUIRE(read({body.substr(0, at), body.substr(at)}) == c.expected);
    }
    for (std::size_t size = 1; size < 5; ++size) {
      std::vector<std::string_view> pieces;
      for (std::string_view rest(c.body); !rest.empty();) {
        pieces.push_back(rest.substr(0, size));
        rest.remove_prefix(pieces.back().size());
      }
      REQUIRE(read(pieces) == c.expected);
    }
  }
}

TEST_CASE("a list that is cut off anywhere is refused, what came before is not lost") {
  const std::string body =
      R"({"kind":"PodList","metadata":{"resourceVersion":"5"},"items":[{"a":"ä"},{"b":[]}]})";
  REQUIRE(read({body}) == R"(<{"a":"ä"}> <{"b":[]}> PodList @5 2)");
  const std::size_t first_end = body.find("},{") + 1;
  for (std::size_t size = 0; size < body.size(); ++size) {
    const std::string text = body.substr(0, size);
    CAPTURE(text);
    const std::string got = read({text});
    CAPTURE(got);
    REQUIRE(got.find("! octet " + std::to_string(size) + ": the body ends ") != std::string::npos);
    REQUIRE(got.starts_with("<{\"a\"") == (size >= first_end));
  }
  CHECK(read({body.substr(0, first_end - 2)}) == "! octet 70: the body ends inside items[0]");
}

TEST_CASE("what is no list is refused where it goes wrong") {
  struct Case {
    std::string body;
    std::string expected;
  };
  for (const Case& c : {
           Case{"<html>", "! octet 0: the body is not a JSON object"},
           Case{"  [{}]", "! octet 2: the body is not a JSON object"},
           Case{"", "! octet 0: the body ends too early"},
           Case{list("[1]"), "! octet 62: expected an object as items[0]"},
           Case{list("[,]"), "! octet 62: expected an object as items[0]"},
           Case{list("[{},]"), "<{}> ! octet 65: expected an object as items[1]"},
           Case{list("[{},null]"), "<{}> ! octet 65: expected an object as items[1]"},
           Case{list("[{},[]]"), "<{}> ! octet 65: expected an object as items[1]"},
           Case{list("[{}{}]"), "<{}> ! octet 64: expected ',' or ']' before items[1]"},
           Case{list("[{}}"), "<{}> ! octet 64: expected ',' or ']' before items[1]"},
           Case{list("[]") + "{}", "! octet 64: the body goes on behind its end"},
           Case{list("[]") + "x", "! octet 64: the body goes on behind its end"},
           Case{list("{}"), "! items: a mapping is not a sequence"},
           Case{list("7"), "! items: the number '7' is not a sequence"},
           Case{list("[],\"items\":[{}]"), "<{}> ! items: is given twice; expected it once"},
           Case{"{\"kind\":\"PodList\"}", "! items: is missing; expected a sequence"},
           Case{"{\"kind\":\"Pod\",\"items\":[]}",
                "! kind: 'Pod' is not a list's, such as ServiceList"},
           Case{"{\"items\":[{}]}",
                "<{}> ! kind: is missing; expected a list's, such as ServiceList"},
           Case{R"({"kind":"XList","metadata":[],"items":[]})",
                "! metadata: a sequence is not a mapping"},
           Case{R"({"kind":"XList","metadata":{"resourceVersion":"1x"},"items":[]})",
                "! metadata.resourceVersion: '1x' is not a decimal number below 2^64"},
           Case{R"({"kind":"XList","metadata":{"continue":1},"items":[]})",
                "! metadata.continue: the number '1' is not a string; put it in quotes"},
           Case{R"({"kind":"XList","metadata":{"remainingItemCount":-1},"items":[]})",
                "! metadata.remainingItemCount: the number '-1' is not a number of items"},
           Case{R"({"kind":"XList","metadata":{"remainingItemCount":"1"},"items":[]})",
                "! metadata.remainingItemCount: '1' is not a number of items"},
       }) {
    CAPTURE(c.body);
    CHECK(read({c.body}) == c.expected);
  }
  for (const std::string body : {
           "{\"kind\":\"XList\",\"items\":[{}],}",
           "{\"kind\":\"XList\" \"items\":[{}]}",
           "{\"kind\":\"XList\",\"items\":[{}]]",
           "{\"kind\":\"X\xff\",\"items\":[{}]}",
           "{\"kind\":\"items\"[{}]}",
           "{\"kind\":\"XList\",\"items\":[{}]x}",
       }) {
    CAPTURE(body);
    const std::string got = read({body});
    CAPTURE(got);
    CHECK(got.starts_with("<{}> ! the list around its items: not JSON: "));
  }
}

TEST_CASE("one element of a list and what is around them are bounded") {
  const std::string largest = "{\"" + std::string(MaxListItem - 7, 'x') + "\":\"\"}";
  REQUIRE(largest.size() == MaxListItem);
  const std::string two_largest = list("[" + largest + "," + largest + "]");
  for (const std::size_t piece_size : {std::string::npos, std::size_t{16384}}) {
    const auto feed = [&](ListReader& reader, const std::string& body) {
      Result<void> fed;
      for (std::string_view rest(body); fed && !rest.empty();) {
        const std::string_view piece = rest.substr(0, piece_size);
        fed = reader.feed(piece);
        rest.remove_prefix(piece.size());
      }
      return fed;
    };
    std::size_t octets = 0;
    ListReader reader([&](std::string_view item) { octets += item.size(); });
    CHECK(feed(reader, two_largest));
    CHECK(show(reader.finish()) == "PodList @5 2");
    CHECK(octets == 2 * MaxListItem);

    ListReader refusing([&](std::string_view item) { octets += item.size(); });
    const auto refused = feed(refusing, list("[{},{\"a\":" + largest + "}]"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Exhausted);
    CHECK(refused.error().message.find("items[1] is longer than 4194304 octets") !=
          std::string::npos);
    CHECK(octets == 2 * MaxListItem + 2);

    ListReader wide([](std::string_view) {});
    const auto too_wide = feed(wide, "{\"" + std::string(MaxListEnvelope, 'x') + "\":1}");
    REQUIRE_FALSE(too_wide);
    CHECK(too_wide.error().kind == ErrorKind::Exhausted);
    CHECK(too_wide.error().message ==
          "octet 65536: more than 65536 octets besides the elements of items");
  }
}

}  // namespace waypost::kube
