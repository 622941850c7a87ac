#include "kube/json_extent.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace waypost::kube {
namespace {

// What an extent tells of a value.
struct Found {
  std::size_t size = std::string_view::npos;  // npos: it does not end.
  std::size_t children = 0;
  std::string_view last_child;

  friend bool operator==(const Found&, const Found&) = default;
};

// The text is fed in two pieces.
Found find(std::string_view text, std::size_t first) {
  JsonExtent extent;
  std::size_t size = extent.scan(text.substr(0, first));
  if (!extent.is_complete()) {
    size += extent.scan(text.substr(first));
  }
  if (!extent.is_complete()) {
    return {};
  }
  return {size, extent.child_count(),
          text.substr(extent.child_begin(), extent.child_end() - extent.child_begin())};
}

// The same, one octet after the other, by the definition.
Found find_plainly(std::string_view text) {
  Found found;
  std::size_t depth = 0;
  std::size_t child_begin = 0;
  bool in_string = false;
  bool is_escaped = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const bool was_escaped = is_escaped;
    is_escaped = c == '\\' && !was_escaped;
    if (c == '"' && !was_escaped) {
      in_string = !in_string;
    } else if (!in_string && (c == '{' || c == '[')) {
      if (++depth == 2) {
        ++found.children;
        child_begin = at;
      }
    } else if (!in_string && (c == '}' || c == ']')) {
      if (--depth == 1) {
        found.last_child = text.substr(child_begin, at + 1 - child_begin);
      } else if (depth == 0) {
        found.size = at + 1;
        return found;
      }
    }
  }
  return {};
}

std::size_t extent(std::string_view text, std::size_t first) {
  return find(text, first).size;
}
std::size_t plain_extent(std::string_view text) {
  return find_plainly(text).size;
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
           "{\"a\":{\"b\":[" + std::string(300, '1') + "]},\"c\":{\"d\":{}}}",
           std::string("{\"\xc3\xa4\":\"\xf0\x9f\x98\x80\"}"),
       }) {
    CAPTURE(value);
    REQUIRE(plain_extent(value) == value.size());
    for (const std::string& behind :
         {std::string(), std::string("}{\"]\\"), std::string(100, '}')}) {
      const std::string text = value + behind;
      for (std::size_t first = 0; first <= value.size(); ++first) {
        REQUIRE(extent(text, first) == value.size());
        REQUIRE(find(text, first) == find_plainly(text));
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
    REQUIRE(find(text, (next() >> 16) % text.size()) == find_plainly(text));
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
