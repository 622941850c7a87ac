#include "kube/http_response.h"

#include "support/scripted_server.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::kube {
namespace {

using Progress = HttpResponse::Progress;
using namespace std::chrono_literals;

// What became of a response.
struct Reading {
  std::string body;
  std::size_t heads = 0;
  std::size_t largest_piece = 0;
  bool is_done = false;
  std::string failure;  // Empty without one.
  ErrorKind kind = ErrorKind::InvalidInput;
};

// Takes what `response` has to tell; false once it wants nothing more.
bool take(HttpResponse& response, Reading& reading) {
  while (true) {
    const auto progress = response.advance();
    if (!progress) {
      reading.failure = progress.error().message;
      reading.kind = progress.error().kind;
      const auto again = response.advance();
      CHECK(!again);
      CHECK(again.error().message == reading.failure);
      CHECK(response.piece().empty());
      return false;
    }
    switch (*progress) {
      case Progress::NeedsInput:
        return true;
      case Progress::Head:
        ++reading.heads;
        break;
      case Progress::Piece:
        CHECK(!response.piece().empty());
        reading.body += response.piece();
        reading.largest_piece = std::max(reading.largest_piece, response.piece().size());
        break;
      case Progress::Done:
        reading.is_done = true;
        CHECK(response.advance() == Progress::Done);
        CHECK(response.piece().empty());
        return false;
    }
  }
}

// Hands `octets` over in portions of at most `portion`, then the end unless `stays_open`.
Reading read(HttpResponse& response, std::string_view octets, std::size_t portion,
             bool stays_open = false) {
  Reading reading;
  while (take(response, reading)) {
    if (octets.empty()) {
      if (stays_open) {
        return reading;
      }
      response.finish_input();
      continue;
    }
    const MutableBytes space = response.free_space();
    REQUIRE(!space.empty());
    const std::size_t size = std::min({portion, octets.size(), space.size()});
    std::memcpy(space.data(), octets.data(), size);
    response.add(size);
    octets.remove_prefix(size);
  }
  return reading;
}

Reading read(std::string_view octets, std::size_t portion = 1U << 20, bool stays_open = false) {
  HttpResponse response;
  return read(response, octets, portion, stays_open);
}

std::string varied_text(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) {
    text += "{\"name\":\"web-" + std::to_string(i * 7919) + "\"},";
  }
  text.resize(size);
  return text;
}

const std::string Ok = "HTTP/1.1 200 OK\r\n";

}  // namespace

TEST_CASE("a body is what stands behind the head, however its end is told") {
  struct Case {
    const char* what;
    std::string octets;
    std::string body;
  };
  for (const Case& c : std::vector<Case>{
           {"a length", test::response_with("hello"), "hello"},
           {"no length", Ok + "\r\nhello", "hello"},
           {"nothing", test::response_with(""), ""},
           {"no content", "HTTP/1.1 204 No Content\r\n\r\n", ""},
           {"chunks", test::chunked_response("hello, world", 5), "hello, world"},
           {"no chunk", test::chunked_response("", 5), ""},
           {"chunk extensions",
            Ok + "Transfer-Encoding: chunked\r\n\r\n5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n",
            "hello"},
           {"trailers",
            Ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n",
            "hello"},
           {"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhello", "hello"},
           {"an interim response",
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + test::response_with("hello"), "hello"},
           {"gzip", test::response_with(test::gzip("hello"), "Content-Encoding: gzip\r\n"),
            "hello"},
           {"gzip of nothing", test::response_with(test::gzip(""), "Content-Encoding: GZIP\r\n"),
            ""},
           {"gzip without an octet", test::response_with("", "Content-Encoding: gzip\r\n"), ""},
           {"gzip without a length", Ok + "Content-Encoding: gzip\r\n\r\n" + test::gzip("hello"),
            "hello"},
           {"two gzip members",
            test::response_with(test::gzip("hello, ") + test::gzip("world"),
                                "Content-Encoding: gzip\r\n"),
            "hello, world"},
           {"identity", test::response_with("hello", "Content-Encoding: identity\r\n"), "hello"},
       }) {
    CAPTURE(c.what);
    for (const std::size_t portion : {std::size_t{1} << 20, std::size_t{1}}) {
      const Reading reading = read(c.octets, portion);
      CHECK(reading.failure == "");
      CHECK(reading.is_done);
      CHECK(reading.heads == 1);
      CHECK(reading.body == c.body);
    }
  }
}

TEST_CASE("a chunked gzip response reads alike wherever it is split") {
  const std::string body = varied_text(500);
  const std::string octets =
      test::chunked_response(test::gzip(body), 60, "Content-Encoding: gzip\r\n");
  for (std::size_t split = 1; split < octets.size(); ++split) {
    CAPTURE(split);
    HttpResponse response;
    Reading reading = read(response, octets.substr(0, split), split, true);
    REQUIRE(reading.failure == "");
    const Reading rest = read(response, octets.substr(split), octets.size(), true);
    REQUIRE(rest.failure == "");
    REQUIRE(rest.is_done);
    REQUIRE(reading.body + rest.body == body);
    REQUIRE(reading.heads + rest.heads == 1);
    REQUIRE(response.can_reuse_connection());
  }
}

TEST_CASE("a large body comes in bounded pieces, packed or not") {
  const std::string body = varied_text(3'000'000);
  for (const bool is_packed : {false, true}) {
    const std::string octets =
        is_packed ? test::chunked_response(test::gzip(body), 4096, "Content-Encoding: gzip\r\n")
                  : test::chunked_response(body, 100'000);
    for (const std::size_t portion : {std::size_t{1000}, std::size_t{16384}}) {
      const Reading reading = read(octets, portion);
      CHECK(reading.failure == "");
      CHECK(reading.body == body);
      CHECK(reading.largest_piece <= std::size_t{32} << 10);
    }
  }
}

TEST_CASE("what a small gzip body swells to is held a piece at a time") {
  const std::string body(20'000'000, 'a');
  const std::string packed = test::gzip(body);
  REQUIRE(packed.size() < 30'000);
  const Reading reading = read(test::response_with(packed, "Content-Encoding: gzip\r\n"));
  CHECK(reading.failure == "");
  CHECK(reading.body == body);
  CHECK(reading.largest_piece <= std::size_t{32} << 10);
}

TEST_CASE("a piece is told as soon as it is there, before its chunk is complete") {
  HttpResponse response;
  const Reading reading = read(
      response, Ok + "Transfer-Encoding: chunked\r\n\r\n64\r\n{\"type\":\"ADDED\"", 1000, true);
  CHECK(reading.body == "{\"type\":\"ADDED\"");
  CHECK(!reading.is_done);
}

TEST_CASE("a response that ends too early is said so at every octet") {
  for (const std::string& octets :
       {test::response_with("hello"), test::chunked_response("hello, world", 5),
        test::chunked_response(test::gzip("hello"), 7, "Content-Encoding: gzip\r\n")}) {
    for (std::size_t size = 0; size < octets.size(); ++size) {
      CAPTURE(octets.substr(0, size));
      const Reading reading = read(octets.substr(0, size));
      REQUIRE(!reading.is_done);
      REQUIRE(reading.failure == "the connection was closed before the end of the response");
      REQUIRE(reading.kind == ErrorKind::System);
    }
  }
  const std::string packed = test::gzip("hello");
  for (std::size_t size = 1; size < packed.size(); ++size) {
    CAPTURE(size);
    const Reading reading =
        read(test::response_with(packed.substr(0, size), "Content-Encoding: gzip\r\n"));
    REQUIRE(!reading.is_done);
    REQUIRE(reading.failure == "the gzip body ends too early");
  }
}

TEST_CASE("what is not a response is refused with the reason") {
  struct Case {
    std::string octets;
    ErrorKind kind;
    std::string failure;  // How it begins.
  };
  const std::string chunked = Ok + "Transfer-Encoding: chunked\r\n\r\n";
  std::string flipped = test::gzip(varied_text(300));
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x55);
  for (const Case& c : std::vector<Case>{
           {"SSH-2.0-OpenSSH\r\n\r\n", ErrorKind::InvalidInput, "not an HTTP response"},
           {"HTTP/2.0 200 OK\r\n\r\n", ErrorKind::InvalidInput, "not an HTTP response"},
           {"HTTP/1.1 20 OK\r\n\r\n", ErrorKind::InvalidInput, "not an HTTP response"},
           {Ok + "A b\r\n\r\n", ErrorKind::InvalidInput, "not an HTTP response"},
           {Ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", ErrorKind::InvalidInput,
            "not an HTTP response"},
           {Ok + "Content-Length: -5\r\n\r\nhello", ErrorKind::InvalidInput,
            "not an HTTP response"},
           {chunked + "x\r\nhello\r\n0\r\n\r\n", ErrorKind::InvalidInput, "not an HTTP response"},
           {chunked + "4\r\nhello\r\n0\r\n\r\n", ErrorKind::InvalidInput, "not an HTTP response"},
           {chunked + "11111111111111111\r\n", ErrorKind::InvalidInput, "not an HTTP response"},
           {test::response_with("hello", "Content-Encoding: br\r\n"), ErrorKind::Unsupported,
            "the response has a content coding other than gzip"},
           {test::response_with("hello", "Content-Encoding: gzip\r\n"), ErrorKind::InvalidInput,
            "not gzip: "},
           {test::response_with(test::gzip("hello") + "more", "Content-Encoding: gzip\r\n"),
            ErrorKind::InvalidInput, "not gzip: "},
           {test::response_with(flipped, "Content-Encoding: gzip\r\n"), ErrorKind::InvalidInput,
            "not gzip: "},
           {"HTTP/1.1 101 Switching Protocols\r\n\r\n", ErrorKind::InvalidInput,
            "the server sends only interim responses"},
       }) {
    CAPTURE(c.octets);
    for (const std::size_t portion : {std::size_t{1} << 20, std::size_t{1}}) {
      const Reading reading = read(c.octets, portion);
      CAPTURE(reading.failure);
      CHECK(!reading.is_done);
      CHECK(reading.failure.starts_with(c.failure));
      CHECK(reading.kind == c.kind);
    }
  }
}

TEST_CASE("heads, heads of chunks and trailers are bounded") {
  const std::string filler(HttpResponse::MaxHeadSize, 'a');
  const std::string chunked = Ok + "Transfer-Encoding: chunked\r\n\r\n";
  for (const std::string& octets :
       {"HTTP/1.1 200 " + filler, Ok + "A: " + filler, Ok + "A: " + filler + "\r\n\r\n",
        chunked + "5;" + filler, chunked + "0\r\nA: " + filler}) {
    for (const std::size_t portion : {std::size_t{1} << 20, std::size_t{100}}) {
      const Reading reading = read(octets, portion, true);
      CHECK(reading.kind == ErrorKind::Exhausted);
      CHECK(reading.failure == "the response's head has more than 16384 octets");
    }
  }
  std::string interim;
  for (int i = 0; i < HttpResponse::MaxInterimResponses; ++i) {
    interim += "HTTP/1.1 100 Continue\r\n\r\n";
  }
  CHECK(read(interim + test::response_with("hello")).body == "hello");
  CHECK(read(interim + "HTTP/1.1 100 Continue\r\n\r\n").failure ==
        "the server sends only interim responses");
}

TEST_CASE("status, Retry-After and Location are read from the head") {
  struct Case {
    std::string headers;
    std::optional<std::chrono::seconds> retry_after;
  };
  for (const Case& c :
       std::vector<Case>{{"", std::nullopt},
                         {"Retry-After: 7\r\n", 7s},
                         {"retry-after: 0\r\n", 0s},
                         {"Retry-After: -7\r\n", std::nullopt},
                         {"Retry-After: 99999999999\r\n", std::nullopt},
                         {"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", std::nullopt}}) {
    CAPTURE(c.headers);
    HttpResponse response;
    const std::string octets =
        "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n" + c.headers + "\r\n";
    REQUIRE(read(response, octets, 1000).is_done);
    CHECK(response.status() == 429);
    CHECK(response.retry_after() == c.retry_after);
    CHECK(response.location() == "");
  }
  HttpResponse response;
  read(
      response,
      "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /" + std::string(500, 'x') + "\r\n\r\n",
      1000);
  CHECK(response.location() == "/" + std::string(199, 'x'));
}

TEST_CASE("a connection serves another request only when it is open and nothing follows") {
  struct Case {
    const char* what;
    std::string octets;
    bool can_reuse;
  };
  for (const Case& c : std::vector<Case>{
           {"kept open", test::response_with("hello"), true},
           {"closed", test::response_with("hello", "Connection: close\r\n"), false},
           {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false},
           {"HTTP/1.0 kept open",
            "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello", true},
           {"more follows", test::response_with("hello") + "H", false},
       }) {
    CAPTURE(c.what);
    HttpResponse response;
    CHECK(!response.has_started());
    CHECK(!response.can_reuse_connection());
    REQUIRE(read(response, c.octets, 1000, true).is_done);
    CHECK(response.has_started());
    CHECK(response.can_reuse_connection() == c.can_reuse);
  }
  HttpResponse response;
  REQUIRE(read(response, Ok + "\r\nhello", 1000).is_done);
  CHECK(!response.can_reuse_connection());
}

}  // namespace waypost::kube
