#include "ops/http_server.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace waypost::ops {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A client in the same thread: it sends what it is told and takes what there is.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view text) {
    REQUIRE(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  void finish() { ::shutdown(fd_, SHUT_WR); }

  // What has come; `is_closed` tells whether the server has ended the connection.
  const std::string& receive() {
    char part[4096];
    for (ssize_t size = 1; size > 0;) {
      size = ::recv(fd_, part, sizeof part, MSG_DONTWAIT);
      if (size > 0) {
        received_.append(part, static_cast<std::size_t>(size));
      }
      is_closed_ = is_closed_ || size == 0 || (size < 0 && errno != EAGAIN);
    }
    return received_;
  }
  bool is_closed() const { return is_closed_; }

 private:
  int fd_;
  std::string received_;
  bool is_closed_ = false;
};

struct Fixture {
  using Prepare = std::function<void(HttpServer&, const SocketAddress&)>;
  explicit Fixture(const Prepare& prepare) : Fixture(HttpLimits{}, prepare) {}
  explicit Fixture(HttpLimits limits = {}, const Prepare& prepare = {}) : server(context, limits) {
    if (prepare) {
      prepare(server, address);
    }
    server.serve(address, "/one", [] { return HttpReply{.body = "first"}; });
    server.serve(address, "/bad", [] { return HttpReply{.status = 503, .body = "not yet"}; });
    REQUIRE(server.open());
    port = server.places().front().address.port;
    REQUIRE(port != 0);
  }

  template <typename Condition>
  bool run_until(Condition condition, milliseconds limit = milliseconds(3000)) {
    const auto end = steady_clock::now() + limit;
    while (!condition() && steady_clock::now() < end) {
      context.restart();
      context.run_one_for(milliseconds(1));
    }
    return condition();
  }

  // Everything that comes until the server closes.
  std::string ask(std::string_view request) {
    Client client(port);
    client.send(request);
    CHECK(run_until([&] {
      client.receive();
      return client.is_closed();
    }));
    return client.receive();
  }
  // The same without header fields.
  std::string verdict(std::string_view request) {
    const std::string reply = ask(request);
    const std::size_t body = reply.find("\r\n\r\n");
    return reply.substr(0, reply.find("\r\n")) + " | " +
           (body == std::string::npos ? "" : reply.substr(body + 4));
  }

  const SocketAddress address{IpAddress::v4(127, 0, 0, 1), 0};
  boost::asio::io_context context{1};
  HttpServer server;
  std::uint16_t port = 0;
};

std::string request(std::string_view method, std::string_view target,
                    std::string_view fields = "Connection: close\r\n") {
  return std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n" +
         std::string(fields) + "\r\n";
}

}  // namespace

TEST_CASE("a path is answered with its status, type, length and body") {
  Fixture fixture;
  const std::string reply = fixture.ask(request("GET", "/one"));
  CHECK(reply ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
        "Content-Length: 5\r\nConnection: close\r\n\r\nfirst");
  CHECK(fixture.verdict(request("GET", "/bad")) == "HTTP/1.1 503 Service Unavailable | not yet");
  CHECK(fixture.verdict(request("GET", "/one?verbose=1")) == "HTTP/1.1 200 OK | first");
  CHECK(fixture.verdict("GET /one HTTP/1.0\r\n\r\n") == "HTTP/1.0 200 OK | first");
}

TEST_CASE("HEAD is answered like GET, without the body") {
  Fixture fixture;
  const std::string reply = fixture.ask(request("HEAD", "/one"));
  CHECK(reply.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(reply.find("Content-Length: 5\r\n") != std::string::npos);
  CHECK(reply.ends_with("\r\n\r\n"));
}

TEST_CASE("a page is given who asks, for what, and under which name") {
  Fixture fixture([](HttpServer& server, const SocketAddress& address) {
    server.show(address, "/page",
                [](const HttpRequest& request) -> boost::asio::awaitable<HttpReply> {
                  co_return HttpReply{.body = request.client.to_text() + " " + request.host + " " +
                                              request.query};
                });
  });
  CHECK(fixture.verdict(request("GET", "/page?q=1?&x")) ==
        "HTTP/1.1 200 OK | 127.0.0.1 test q=1?&x");
  CHECK(fixture.verdict(request("GET", "/page")) == "HTTP/1.1 200 OK | 127.0.0.1 test ");
  CHECK(fixture.verdict(request("POST", "/page")) ==
        "HTTP/1.1 405 Method Not Allowed | GET and HEAD only\n");
  CHECK(fixture.ask(request("HEAD", "/page")).ends_with("\r\n\r\n"));
  CHECK(fixture.server.places().size() == 2);
}

TEST_CASE("what is not offered is refused, each in its way") {
  Fixture fixture({.head_octets = 512});
  CHECK(fixture.verdict(request("GET", "/none")) == "HTTP/1.1 404 Not Found | no such path\n");
  CHECK(fixture.verdict(request("GET", "/one/")) == "HTTP/1.1 404 Not Found | no such path\n");
  const std::string posted = fixture.ask(request("POST", "/one", "Content-Length: 3\r\n") + "abc");
  CHECK(posted.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
  CHECK(posted.find("\r\nAllow: GET, HEAD\r\n") != std::string::npos);
  CHECK(posted.find("\r\nConnection: close\r\n") != std::string::npos);
  CHECK(fixture.verdict("nonsense\r\n\r\n") ==
        "HTTP/1.1 400 Bad Request | not a request of HTTP/1.1\n");
  CHECK(fixture.verdict(request("GET", "/one", "A: " + std::string(600, 'a') + "\r\n")) ==
        "HTTP/1.1 431 Request Header Fields Too Large | the request's head is too large\n");
  const auto& replies = fixture.server.counters().replies;
  CHECK(replies.at(404) == 2);
  CHECK(replies.at(405) == 1);
  CHECK(replies.at(400) == 1);
  CHECK(replies.at(431) == 1);
  CHECK_FALSE(replies.contains(200));
}

TEST_CASE("a connection goes on for as many requests as it is used for, also sent at once") {
  Fixture fixture;
  const std::string reply = fixture.ask(request("GET", "/one", "") + request("GET", "/bad", "") +
                                        request("HEAD", "/one", "") + request("GET", "/one"));
  std::size_t replies = 0;
  for (std::size_t at = reply.find("HTTP/1.1 "); at != std::string::npos;
       at = reply.find("HTTP/1.1 ", at + 1)) {
    ++replies;
  }
  CHECK(replies == 4);
}

TEST_CASE("a request is the same however its octets arrive") {
  Fixture fixture;
  const std::string whole = request("GET", "/one");
  for (std::size_t cut = 1; cut < whole.size(); ++cut) {
    CAPTURE(cut);
    Client client(fixture.port);
    client.send(std::string_view(whole).substr(0, cut));
    fixture.run_until([] { return false; }, milliseconds(0));
    fixture.context.poll();
    client.send(std::string_view(whole).substr(cut));
    REQUIRE(fixture.run_until([&] { return client.receive().ends_with("first"); }));
  }
}

TEST_CASE("connections above the bound are closed at once, and make room when they end") {
  Fixture fixture({.connections = 2});
  auto first = std::make_unique<Client>(fixture.port);
  Client second(fixture.port);
  first->send(request("GET", "/one", ""));
  second.send(request("GET", "/one", ""));
  REQUIRE(fixture.run_until(
      [&] { return first->receive().ends_with("first") && second.receive().ends_with("first"); }));
  Client third(fixture.port);
  REQUIRE(fixture.run_until([&] {
    third.receive();
    return third.is_closed();
  }));
  CHECK(third.receive() == "");
  CHECK(fixture.server.counters().refused == 1);
  first.reset();
  CHECK(fixture.run_until([&] {
    Client again(fixture.port);
    again.send(request("GET", "/one"));
    fixture.run_until([&] {
      again.receive();
      return again.is_closed();
    });
    return again.receive().ends_with("first");
  }));
}

TEST_CASE("who is too slow is dropped, and a client that vanishes is no trouble") {
  Fixture fixture({.timeout = milliseconds(30)});
  CHECK(fixture.ask("GET /one HT") == "");
  const auto timed_out = [&] { return fixture.server.counters().timeouts == 1; };
  CHECK(fixture.run_until(timed_out));
  {
    Client client(fixture.port);
    client.send("GET /one HT");
    fixture.run_until([] { return false; }, milliseconds(5));
  }
  fixture.run_until([] { return false; }, milliseconds(50));
  CHECK(timed_out());
  CHECK(fixture.verdict(request("GET", "/one")) == "HTTP/1.1 200 OK | first");
}

TEST_CASE("every address has its own paths, and an address that is taken is named") {
  boost::asio::io_context context{1};
  HttpServer one(context);
  const SocketAddress any{IpAddress::v4(127, 0, 0, 1), 0};
  one.serve(any, "/a", [] { return HttpReply(); });
  one.serve({*IpAddress::from_text("::1"), 0}, "/b", [] { return HttpReply(); });
  one.serve(any, "/c", [] { return HttpReply(); });
  REQUIRE(one.open());
  const auto places = one.places();
  REQUIRE(places.size() == 3);
  CHECK(places[0].path == "/a");
  CHECK(places[1].address.address == *IpAddress::from_text("::1"));
  CHECK(places[2].address == places[0].address);

  HttpServer other(context);
  other.serve(places[0].address, "/a", [] { return HttpReply(); });
  const auto opened = other.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().message.find(places[0].address.to_text()) != std::string::npos);
}

TEST_CASE("a server may end before its sessions") {
  boost::asio::io_context context{1};
  auto server = std::make_unique<HttpServer>(context, HttpLimits{.timeout = milliseconds(20)});
  bool was_asked = false;
  server->serve({IpAddress::v4(127, 0, 0, 1), 0}, "/one", [&was_asked] {
    was_asked = true;
    return HttpReply();
  });
  REQUIRE(server->open());
  Client client(server->places().front().address.port);
  client.send("GET /one HT");
  context.run_for(milliseconds(5));
  server.reset();
  client.send("TP/1.1\r\n\r\n");
  context.restart();
  context.run_for(milliseconds(100));
  CHECK_FALSE(was_asked);
  client.receive();
  CHECK(client.is_closed());
}

}  // namespace waypost::ops
