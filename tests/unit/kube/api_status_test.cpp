#include "kube/api_status.h"

#include "support/api_recording.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::kube {
namespace {

std::string show(const Result<ApiStatus>& status) {
  if (!status) {
    return "! " + status.error().message;
  }
  std::string text = status->to_text();
  text += status->retry_after ? " retry " + std::to_string(status->retry_after->count()) : "";
  for (const StatusCause& cause : status->causes) {
    text += " [" + cause.reason + "|" + cause.field + "|" + cause.message + "]";
  }
  text += status->is_expired() ? " expired" : "";
  text += status->is_too_large_version() ? " too large" : "";
  return text;
}

// A Status with these members.
std::string status(const std::string& members) {
  return "{\"kind\":\"Status\"" + members + "}";
}

}  // namespace

TEST_CASE("a Status tells what went wrong") {
  struct Case {
    std::string json;
    std::string text;
  };
  for (const Case& c : {
           Case{test::read_recording("watch-too-large-rv").body,
                "504 Timeout: Timeout: Too large resource version: 99999999, current: 369 retry 1 "
                "[ResourceVersionTooLarge||Too large resource version] too large"},
           Case{test::read_recording("error-401").body, "401 Unauthorized"},
           Case{status(R"(,"code":410,"reason":"Expired","message":"too old")"),
                "410 Expired: too old expired"},
           Case{status(R"(,"code":410,"reason":"Gone")"), "410 Gone expired"},
           Case{status(R"(,"reason":"Expired")"), "Expired expired"},
           Case{status(
                    R"(,"code":500,"reason":"Timeout","message":"Too large resource version: 2")"),
                "500 Timeout: Too large resource version: 2 too large"},
           Case{status(
                    R"(,"code":429,"reason":"TooManyRequests","details":{"retryAfterSeconds":12})"),
                "429 TooManyRequests retry 12"},
           Case{status(R"(,"code":422,"details":{"causes":[{"field":"spec"},{"reason":"x"}]})"),
                "422 [|spec|] [x||]"},
           Case{status(""), "a failure without a reason"},
           Case{status(R"(,"message":"etcd: \u00e4\n")"), "etcd: \xc3\xa4\n"},
           // What cannot be used is as if it were absent.
           Case{status(R"(,"code":"410","reason":7,"message":null,"details":[])"),
                "a failure without a reason"},
           Case{status(R"(,"code":-1,"details":{"retryAfterSeconds":-5,"causes":{"a":1}})"),
                "a failure without a reason"},
           Case{status(R"(,"code":500,"details":{"retryAfterSeconds":0,"causes":["x",null]})"),
                "500 [||] [||]"},
           Case{status(R"(,"code":99999999999,"details":{"retryAfterSeconds":1e3})"),
                "a failure without a reason"},
           Case{"{\"kind\":\"Service\"}", "! kind: 'Service' is not Status"},
           Case{"{}", "! kind: '' is not Status"},
           Case{"[]", "! kind: '' is not Status"},
           Case{"{", "! Status: not JSON: "},
       }) {
    CAPTURE(c.json);
    const std::string got = show(decode_status(c.json));
    CAPTURE(got);
    if (c.text.ends_with("not JSON: ")) {
      CHECK(got.starts_with(c.text));
    } else {
      CHECK(got == c.text);
    }
  }
}

TEST_CASE("what is kept of a Status is bounded") {
  std::string causes;
  for (int i = 0; i < 100; ++i) {
    causes += (i == 0 ? "" : ",") + std::string(R"({"reason":"r"})");
  }
  const std::string umlauts = [] {
    std::string text = "x";  // So that the cut falls into the middle of a character.
    while (text.size() < 2 * MaxStatusMessage) {
      text += "\xc3\xa4";
    }
    return text;
  }();
  const auto found = decode_status(
      status(",\"message\":\"" + umlauts + "\",\"details\":{\"causes\":[" + causes + "]}"));
  REQUIRE(found);
  CHECK(found->causes.size() == MaxStatusCauses);
  CHECK(found->message == umlauts.substr(0, MaxStatusMessage - 1));
}

}  // namespace waypost::kube
