#include "kube/watch_reader.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace waypost::kube {
namespace {

// The events, then how the body ends when that is not between two events.
std::string read(const std::vector<std::string_view>& pieces) {
  std::string text;
  WatchReader reader([&](const WatchEvent& event) {
    text += std::string(to_text(event.type)) + " " + std::string(event.object) + "; ";
  });
  for (const std::string_view piece : pieces) {
    const std::string own(piece);  // Gone before the next piece.
    const auto fed = reader.feed(own);
    if (!fed) {
      CHECK_FALSE(reader.finish());
      CHECK_FALSE(reader.feed("{}"));
      return text + "! " + fed.error().message;
    }
  }
  const auto end = reader.finish();
  return end ? text : text + "! " + end.error().message;
}

}  // namespace

TEST_CASE("a watch gives its events, wherever its body is cut") {
  struct Case {
    std::string body;
    std::string expected;
  };
  for (const Case& c : {
           Case{"", ""},
           Case{" \n\r\t", ""},
           Case{R"({"type":"ADDED","object":{}})", "ADDED {}; "},
           Case{
               "{\"type\":\"ADDED\",\"object\":{\"a\":1}}\n{\"type\":\"MODIFIED\",\"object\":{}}\n",
               "ADDED {\"a\":1}; MODIFIED {}; "},
           Case{R"({"type":"DELETED","object":{"a":"}{\""}}{"type":"BOOKMARK","object":{}})",
                "DELETED {\"a\":\"}{\\\"\"}; BOOKMARK {}; "},
           Case{R"({"type":"ERROR","object":{"kind":"Status","code":410}})",
                "ERROR {\"kind\":\"Status\",\"code\":410}; "},
           // In another order, with white space, and with more than this reader knows.
           Case{"{ \"x\" : [\"type\", {}] ,\n\"object\" : {\"a\": [ ]} , "
                "\"y\":null,\"z\\\"\":\"\\\\\","
                "\"n\": -1.5 ,\"type\" : \"ADDED\" }",
                "ADDED {\"a\": [ ]}; "},
           Case{"{\"type\":\"ADDED\",\"object\":{\"n\":\"\xc3\xa4\xf0\x9f\x98\x80\"}}",
                "ADDED {\"n\":\"\xc3\xa4\xf0\x9f\x98\x80\"}; "},
       }) {
    CAPTURE(c.body);
    CHECK(read({c.body}) == c.expected);
    const std::string_view body(c.body);
    for (std::size_t first = 0; first <= body.size(); ++first) {
      REQUIRE(read({body.substr(0, first), body.substr(first)}) == c.expected);
      for (std::size_t second = first; second <= body.size(); ++second) {
        REQUIRE(read({body.substr(0, first), body.substr(first, second - first),
                      body.substr(second)}) == c.expected);
      }
    }
  }
}

TEST_CASE("a watch that is cut off inside an event says so") {
  const std::string first = "{\"type\":\"ADDED\",\"object\":{\"a\":\"\xc3\xa4\"}}";
  const std::string body = first + "\n" + first;
  for (std::size_t size = 0; size <= body.size(); ++size) {
    CAPTURE(size);
    const bool is_between =
        size == 0 || size == first.size() || size == first.size() + 1 || size == body.size();
    const std::string got = read({std::string_view(body).substr(0, size)});
    CAPTURE(got);
    REQUIRE((got.find("! octet " + std::to_string(size) + ": the body ends inside an event") !=
             std::string::npos) == !is_between);
    REQUIRE(got.starts_with("ADDED") == (size >= first.size()));
  }
}

TEST_CASE("what is no watch is refused where it goes wrong") {
  const std::string good = R"({"type":"ADDED","object":{}})";
  struct Case {
    std::string body;
    std::string expected;
  };
  for (const Case& c : {
           Case{"<html>", "! octet 0: expected an event, a JSON object"},
           Case{good + ",", "ADDED {}; ! octet 28: expected an event, a JSON object"},
           Case{"[]", "! octet 0: expected an event, a JSON object"},
           Case{good + R"({"type":"RENAMED","object":{}})",
                "ADDED {}; ! octet 58: the event in front of it has the unknown type 'RENAMED'"},
           Case{R"({"type":"added","object":{}})",
                "! octet 28: the event in front of it has the unknown type 'added'"},
           Case{R"({"type":"","object":{}})",
                "! octet 23: the event in front of it has the unknown type ''"},
           Case{"{\"type\":\"" + std::string(1000, 'X') + "\",\"object\":{}}",
                "! octet 1023: the event in front of it has the unknown type '" +
                    std::string(80, 'X') + "'"},
       }) {
    CAPTURE(c.body);
    CHECK(read({c.body}) == c.expected);
  }
  for (const std::string body : {
           "{}",
           "{\"type\":\"ADDED\"}",
           "{\"object\":{}}",
           "{\"type\":{},\"object\":{}}",
           "{\"type\":\"ADDED\",\"object\":[]}",
           "{\"type\":\"ADDED\",\"object\":\"{}\"}",
           "{\"type\":\"ADDED\",\"object\":null}",
           "{\"type\":\"ADDED\",\"object\":1}",
       }) {
    CAPTURE(body);
    CHECK(read({body}) == "! octet " + std::to_string(body.size()) +
                              ": the event in front of it has no type and object; expected both");
  }
  for (const std::string body : {
           "{,}",
           "{\"type\":\"ADDED\",}",
           "{\"type\"}",
           "{\"type\":}",
           "{\"type\" \"ADDED\"}",
           "{\"type\":\"ADDED\" \"object\":{}}",
           "{\"type\":\"ADDED\",\"object\":{}]",
           "{type:\"ADDED\",\"object\":{}}",
           "{\"type\":\"ADDED\",\"object\":{}{}}",
       }) {
    CAPTURE(body);
    const std::string got = read({body});
    CAPTURE(got);
    CHECK(got.ends_with(": the event in front of it is not JSON"));
  }
}

TEST_CASE("one event of a watch is bounded") {
  const std::string frame = R"({"type":"ADDED","object":{"a":"")";
  const auto event = [&](std::size_t size) {
    return R"({"type":"ADDED","object":{"a":")" + std::string(size - frame.size() - 2, 'x') +
           "\"}}";
  };
  for (const std::size_t piece_size : {std::string::npos, std::size_t{16384}}) {
    std::size_t octets = 0;
    WatchReader reader([&](const WatchEvent& e) { octets += e.object.size(); });
    const auto feed = [&](const std::string& body) {
      Result<void> fed;
      for (std::string_view rest(body); fed && !rest.empty();) {
        const std::string_view piece = rest.substr(0, piece_size);
        fed = reader.feed(piece);
        rest.remove_prefix(piece.size());
      }
      return fed;
    };
    REQUIRE(event(MaxWatchFrame).size() == MaxWatchFrame);
    CHECK(feed(event(MaxWatchFrame)));
    CHECK(feed(event(100)));
    CHECK(reader.events() == 2);
    const auto refused = feed(event(MaxWatchFrame + 1));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Exhausted);
    CHECK(refused.error().message.find("an event is longer than 4194304 octets") !=
          std::string::npos);
    CHECK(reader.events() == 2);
  }
}

}  // namespace waypost::kube
