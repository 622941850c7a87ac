#include "kube/api_requests.h"

#include "client_fixture.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace waypost::kube {
namespace {

using namespace std::chrono_literals;
using test::Script;
using test::ScriptedServer;
using test::send;

std::string counts(const ApiRequests& requests) {
  std::string text;
  for (const auto& [status, count] : requests.by_status()) {
    text += std::to_string(status) + ":" + std::to_string(count) + " ";
  }
  return text;
}

}  // namespace

TEST_CASE("requests are counted by status, and by how long they took") {
  ApiRequests requests("10.96.0.1:443");
  CHECK(counts(requests) == "0:0 200:0 ");
  requests.note(200, 5ms);  // A bound is part of its bucket.
  requests.note(200, 6ms);
  requests.note(410, 1s);
  requests.note(ApiRequests::NoResponse, 1min);
  CHECK(counts(requests) == "0:1 200:2 410:1 ");
  const std::vector<std::uint64_t> durations(requests.durations().begin(),
                                             requests.durations().end());
  CHECK(durations == std::vector<std::uint64_t>{1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1});
  CHECK(requests.sum_seconds() == doctest::Approx(61.011));
}

TEST_CASE("a server that sends ever other statuses makes no more than so many counts") {
  ApiRequests requests("10.96.0.1:443");
  for (unsigned status = 100; status < 600; ++status) {
    requests.note(status, 1ms);
  }
  CHECK(requests.by_status().size() == ApiRequests::MaxStatuses + 1);
  CHECK(requests.by_status().at(100) == 1);
  CHECK(requests.by_status().at(200) == 1);
  CHECK(requests.by_status().at(ApiRequests::OtherStatus) == 500 - (ApiRequests::MaxStatuses - 1));
}

TEST_CASE_FIXTURE(ClientFixture, "a client counts each request that it makes, once") {
  requests = std::make_shared<ApiRequests>("host");
  {
    int count = 0;
    ScriptedServer server(context, "127.0.0.1", {}, [&](const auto&) {
      return ++count == 1 ? Script{send(test::response_with("{}"))}
                          : Script{send("HTTP/1.1 307 X\r\nLocation: https://o/\r\n"
                                        "Content-Length: 0\r\n\r\n")};
    });
    const auto api = client(server.url());
    get(*api, "/version");
    CHECK(counts(*requests) == "0:0 200:1 ");
    get(*api, "/version");
    CHECK(counts(*requests) == "0:0 200:1 307:1 ");
    get(*api, "/a b");  // Not made.
    CHECK(counts(*requests) == "0:0 200:1 307:1 ");
  }
  get(*client("unix:///nonexistent/api.sock"), "/version");
  CHECK(counts(*requests) == "0:1 200:1 307:1 ");
  CHECK(requests->sum_seconds() > 0);
}

TEST_CASE_FIXTURE(ClientFixture, "what is measured is the time until the response's head") {
  requests = std::make_shared<ApiRequests>("host");
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) {
    return Script{send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), test::pause(60ms),
                  send("{}")};
  });
  const auto begun = std::chrono::steady_clock::now();
  get(*client(server.url()), "/version");
  const std::chrono::duration<double> all = std::chrono::steady_clock::now() - begun;
  CHECK(requests->sum_seconds() > 0);
  CHECK(requests->sum_seconds() + 0.05 <= all.count());
}

}  // namespace waypost::kube
