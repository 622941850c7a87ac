#include "kube/json_extent.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace waypost::kube {
namespace {

// How many octets belong to the value, fed in two pieces; npos when it does not end.
std::size_t extent(std::string_view text, std::size_t first) {
  JsonExtent extent;
  std::size_t size = extent.scan(text.substr(0, first));
  if (!extent.is_complete()) {
    size += extent.scan(text.substr(first));
  }
  return extent.is_complete() ? size : std::string_view::npos;
}

// The same, one octet after the other, by the definition.
std::size_t plain_extent(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  bool is_escaped = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const bool was_escaped = is_escaped;
    is_escaped = c == '\\' && !was_escaped;
    if (c == '"' && !was_escaped) {
      in_string = !in_string;
    } else if (!in_string && (c == '{' || c == '[')) {
      ++depth;
    } else if (!in_string && (c == '}' || c == ']') && --depth == 0) {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

}  // namespace

TEST_CASE("a value ends with its last brace, wherever it is cut") {
  for (const std::string& value : {
           std::string("{}"),
           std::string("[]"),
           std::string(R"({"a":[1,{"b":"}"},"]"],"c":"{["})"),
           std::string(R"({"a":"\"}","b":"\\","c":"\\\"}\\"})"),
           std::string(R"({"\\\\\\\"":"\u007d}"})"),
           "{\"a\":\"" + std::string(57, 'x') + "\\\"}\"}",  // An escape across octet 64.
           "{\"a\":\"" + std::string(56, 'x') + "\\\\\"}",   // Two across it.
           "{\"a\":\"" + std::string(200, '\\') + "\"}",     // Nothing but escapes.
           "{\"a\":\"" + std::string(201, '\\') + "\"}\"}",
           "{\"a\":\"" + std::string(300, '}') + "\"}",
           std::string(100, '[') + std::string(100, ']'),
           "{" + std::string(300, ' ') + "}",
           std::string("{\"\xc3\xa4\":\"\xf0\x9f\x98\x80\"}"),
       }) {
    CAPTURE(value);
    REQUIRE(plain_extent(value) == value.size());
    for (const std::string& behind :
         {std::string(), std::string("}{\"]\\"), std::string(100, '}')}) {
      const std::string text = value + behind;
      for (std::size_t first = 0; first <= value.size(); ++first) {
        REQUIRE(extent(text, first) == value.size());
      }
    }
    for (std::size_t size = 0; size < value.size(); ++size) {
      REQUIRE(extent(std::string_view(value).substr(0, size), size / 2) == std::string_view::npos);
    }
  }
}

TEST_CASE("an extent is the same as by looking at each octet") {
  // A small generator of its own, so that every run sees the same texts.
  std::uint32_t state = 1;
  const auto next = [&] { return state = state * 1664525 + 1013904223; };
  constexpr std::string_view Octets = "{}[]\"\"\\\\  ax";
  for (int round = 0; round < 20'000; ++round) {
    std::string text = "{";
    const std::size_t size = (next() >> 16) % 200;
    for (std::size_t i = 0; i < size; ++i) {
      text += Octets[(next() >> 16) % Octets.size()];
    }
    CAPTURE(text);
    REQUIRE(extent(text, (next() >> 16) % text.size()) == plain_extent(text));
  }
}

TEST_CASE("an extent can begin again") {
  JsonExtent extent;
  CHECK(extent.scan("{\"a") == 3);
  extent.begin();
  CHECK(extent.scan("[1] ") == 3);
  CHECK(extent.is_complete());
  extent.begin();
  CHECK_FALSE(extent.is_complete());
}

}  // namespace waypost::kube
