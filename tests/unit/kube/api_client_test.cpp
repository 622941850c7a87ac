#include "kube/api_client.h"

#include "client_fixture.h"
#include "support/temporary_folder.h"

#include <boost/asio/ip/tcp.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace waypost::kube {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::Script;
using test::ScriptedServer;
using test::send;
using Kind = test::Step::Kind;

const std::string Secret = "s3cr3t";

Script ok(std::string_view body) {
  return {send(test::response_with(body))};
}
Script refused() {
  return {send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")};
}

bool shows(const std::string& request, const std::string& token) {
  return request.find("\r\nAuthorization: Bearer " + token + "\r\n") != std::string::npos;
}

// An https:// server in all but TLS: a plain one on loopback, with this token in a file.
ApiAccess access_with_token_file(const ScriptedServer& server, const std::filesystem::path& file) {
  ApiAccess access = access_from_url(server.url()).value();
  access.token.file = file;
  return access;
}

}  // namespace

TEST_CASE_FIXTURE(ClientFixture, "a request says what is wanted, by whom, and of whom") {
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) { return ok("hello"); });
  ApiAccess access = access_from_url(server.url() + "/prefix/").value();
  access.token.text = " " + Secret + "\n";
  const auto api = client(access);
  const Fetched fetched = get(*api, "/api/v1/pods?watch=1");
  CHECK(fetched.failure == "");
  CHECK(fetched.status == 200);
  CHECK(fetched.body == "hello");
  CHECK(server.requests() == std::vector<std::string>{"GET /prefix/api/v1/pods?watch=1 HTTP/1.1\r\n"
                                                      "Host: 127.0.0.1:" +
                                                      std::to_string(server.port()) +
                                                      "\r\n"
                                                      "User-Agent: waypost-test/1 (linux/amd64)\r\n"
                                                      "Accept: application/json\r\n"
                                                      "Accept-Encoding: gzip\r\n"
                                                      "Authorization: Bearer s3cr3t\r\n\r\n"});
  CHECK(warnings.empty());
}

TEST_CASE_FIXTURE(ClientFixture, "without credentials and compression there is no word of them") {
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) { return ok("hello"); });
  ApiAccess access = access_from_url(server.url()).value();
  access.accepts_gzip = false;
  CHECK(get(*client(access), "/version").body == "hello");
  REQUIRE(server.requests().size() == 1);
  CHECK(server.requests()[0].find("Authorization") == std::string::npos);
  CHECK(server.requests()[0].find("gzip") == std::string::npos);

  access.username = "admin";
  access.password = "a:b";
  get(*client(access), "/version");
  CHECK(server.requests().back().find("Authorization: Basic YWRtaW46YTpi\r\n") !=
        std::string::npos);
}

TEST_CASE("the user agent says program, version and architecture") {
  const std::string agent = user_agent("waypost-dns", "1.2.3");
  CHECK(agent.starts_with("waypost-dns/1.2.3 (linux/"));
  CHECK(agent.ends_with(")"));
  CHECK(agent.find("x86_64") == std::string::npos);
}

TEST_CASE_FIXTURE(ClientFixture, "a server is reached by IPv4, IPv6, a name and a Unix socket") {
  test::TemporaryFolder folder;
  const auto respond = [](const auto&) { return ok("hello"); };
  ScriptedServer v4(context, "127.0.0.1", {}, respond);
  ScriptedServer v6(context, "::1", {}, respond);
  ScriptedServer unix_socket(context, (folder.path() / "api.sock").string(), respond);
  for (const std::string& url :
       {v4.url(), v6.url(), unix_socket.url(), "http://localhost:" + std::to_string(v4.port())}) {
    CAPTURE(url);
    const Fetched fetched = get(*client(url), "/version");
    CHECK(fetched.failure == "");
    CHECK(fetched.body == "hello");
  }
  CHECK(unix_socket.requests()[0].find("\r\nHost: localhost\r\n") != std::string::npos);
}

TEST_CASE_FIXTURE(ClientFixture, "a status is an outcome, a redirect is refused") {
  const auto answer_with = [](const std::string& head) {
    return [head](const auto&) {
      return Script{send("HTTP/1.1 " + head + "\r\nContent-Length: 2\r\n\r\n{}")};
    };
  };
  for (const unsigned status : {200U, 401U, 403U, 404U, 410U, 429U, 500U, 504U}) {
    ScriptedServer server(context, "127.0.0.1", {}, answer_with(std::to_string(status) + " X"));
    const Fetched fetched = get(*client(server.url()), "/version");
    CHECK(fetched.failure == "");
    CHECK(fetched.status == status);
    CHECK(fetched.body == "{}");
  }
  ScriptedServer server(context, "127.0.0.1", {},
                        answer_with("307 Temporary Redirect\r\nLocation: https://other/version"));
  const Fetched fetched = get(*client(server.url()), "/version");
  CHECK(fetched.kind == ErrorKind::Unsupported);
  CHECK(fetched.failure == "GET /version from " + server.url() +
                               ": the server redirects to 'https://other/version'; give its "
                               "address as the API server");
  CHECK(server.requests().size() == 1);
}

TEST_CASE_FIXTURE(ClientFixture, "a target that could end the request line is refused") {
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) { return ok(""); });
  const auto api = client(server.url());
  for (const char* target : {"", "version", "/a b", "/a\r\nX: y", "/\x7f", "/\xc3\xa4"}) {
    CAPTURE(target);
    const Fetched fetched = get(*api, target);
    CHECK(fetched.kind == ErrorKind::InvalidInput);
    CHECK(fetched.failure == "the target of a request is malformed");
  }
  CHECK(server.connections() == 0);
}

TEST_CASE_FIXTURE(ClientFixture, "a connection serves the next request") {
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) { return ok("hello"); });
  const auto api = client(server.url());
  for (int i = 0; i < 5; ++i) {
    CHECK(get(*api, "/version").body == "hello");
  }
  CHECK(server.connections() == 1);
  CHECK(server.requests().size() == 5);
  CHECK(api->counters().requests == 5);
  CHECK(api->counters().connections == 1);
}

TEST_CASE_FIXTURE(ClientFixture,
                  "a connection is not used again when the server or the age says so") {
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) {
    return Script{send(test::response_with("hello", "Connection: close\r\n"))};
  });
  const auto api = client(server.url());
  get(*api, "/version");
  get(*api, "/version");
  CHECK(server.connections() == 2);

  ScriptedServer other(context, "127.0.0.1", {}, [](const auto&) { return ok("hello"); });
  max_idle = 0ms;
  const auto forgetful = client(other.url());
  get(*forgetful, "/version");
  context.run_for(2ms);
  get(*forgetful, "/version");
  CHECK(other.connections() == 2);
}

TEST_CASE_FIXTURE(ClientFixture, "a connection that the server has closed meanwhile is replaced") {
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) { return ok("hello"); });
  const auto api = client(server.url());
  get(*api, "/version");
  server.close_connections();
  settle();
  CHECK(get(*api, "/version").body == "hello");
  CHECK(server.connections() == 2);
  CHECK(api->counters().stale_connections == 1);
}

TEST_CASE_FIXTURE(ClientFixture,
                  "a request that crosses the end of its connection is made again, once") {
  for (const Kind end : {Kind::End, Kind::Reset}) {
    int requests = 0;
    ScriptedServer server(context, "127.0.0.1", {}, [&](const auto&) {
      // The first connection ends when its second request comes.
      return ++requests == 2 ? Script{test::then(end)} : ok("hello");
    });
    const auto api = client(server.url());
    get(*api, "/version");
    CHECK(get(*api, "/version").body == "hello");
    CHECK(server.connections() == 2);
    CHECK(api->counters().stale_connections == 1);
  }
  // On a new connection there is nothing to try again.
  ScriptedServer server(context, "127.0.0.1", {},
                        [](const auto&) { return Script{test::then(Kind::End)}; });
  const Fetched fetched = get(*client(server.url()), "/version");
  CHECK(fetched.kind == ErrorKind::System);
  CHECK(fetched.failure == "GET /version from " + server.url() +
                               ": the connection was closed before the end of the response");
  CHECK(server.connections() == 1);
}

TEST_CASE_FIXTURE(ClientFixture, "a connection that is kept holds nobody up") {
  std::optional<ScriptedServer> server(std::in_place, context, "127.0.0.1", std::nullopt,
                                       [](const auto&) { return ok("hello"); });
  const auto api = client(server->url());
  CHECK(get(*api, "/version", 60s).failure == "");
  server.reset();
  context.restart();
  context.run_for(10s);  // Returns at once, as nothing waits for those 60 seconds.
  CHECK(context.stopped());
}

TEST_CASE_FIXTURE(ClientFixture,
                  "a response that breaks off anywhere fails as the connection did") {
  const std::string response =
      test::chunked_response(test::gzip("hello, world"), 9, "Content-Encoding: gzip\r\n");
  for (const Kind end : {Kind::End, Kind::Reset}) {
    for (std::size_t size = 0; size < response.size(); ++size) {
      CAPTURE(size);
      ScriptedServer server(context, "127.0.0.1", {}, [&](const auto&) {
        return Script{send(response.substr(0, size)), test::then(end)};
      });
      const Fetched fetched = get(*client(server.url()), "/version");
      REQUIRE(fetched.kind == ErrorKind::System);
      REQUIRE(fetched.failure.starts_with("GET /version from " + server.url() + ": "));
    }
  }
}

TEST_CASE_FIXTURE(ClientFixture,
                  "a chunked gzip response reads alike at whatever octet it pauses") {
  const std::string response =
      test::chunked_response(test::gzip("hello, world"), 9, "Content-Encoding: gzip\r\n");
  std::size_t split = 0;
  ScriptedServer server(context, "127.0.0.1", {}, [&](const auto&) {
    return Script{send(response.substr(0, split)), test::pause(1ms), send(response.substr(split))};
  });
  const auto api = client(server.url());
  for (split = 1; split < response.size(); ++split) {
    CAPTURE(split);
    const Fetched fetched = get(*api, "/version");
    REQUIRE(fetched.failure == "");
    REQUIRE(fetched.body == "hello, world");
  }
  CHECK(server.connections() == 1);
}

TEST_CASE_FIXTURE(ClientFixture,
                  "pieces come as the server sends them, and the wait for one is bounded") {
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) {
    return Script{send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"),
                  test::pause(30ms), send("3\r\ntwo\r\n"), test::then(Kind::Hang)};
  });
  const auto api = client(server.url());
  const auto pieces = [](ApiTransport& transport) -> asio::awaitable<std::vector<std::string>> {
    std::vector<std::string> told;
    auto exchange = co_await transport.get("/watch", 10s);
    for (int i = 0; exchange && i < 4; ++i) {
      const auto piece = co_await (*exchange)->read(200ms);
      told.push_back(piece ? std::string(*piece)
                           : std::to_string(static_cast<int>(piece.error().kind)));
    }
    co_return told;
  };
  const std::string late = std::to_string(static_cast<int>(ErrorKind::Exhausted));
  CHECK(test::run(context, pieces(*api)) == std::vector<std::string>{"one", "two", late, late});
  settle();
  CHECK(server.open_connections() == 1);  // It hangs, and has not read that the client is gone.
}

TEST_CASE_FIXTURE(ClientFixture, "slow octets do not keep a request alive") {
  struct Case {
    const char* what;
    std::string head;
  };
  for (const Case& c :
       {Case{"of the head", "HTTP/1.1 200 OK\r\nA: "},
        Case{"of a chunk's head", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;"}}) {
    CAPTURE(c.what);
    ScriptedServer server(context, "127.0.0.1", {}, [&](const auto&) {
      Script script{send(c.head)};
      for (int i = 0; i < 1000; ++i) {
        script.push_back(send("a"));
        script.push_back(test::pause(5ms));
      }
      return script;
    });
    const auto started = std::chrono::steady_clock::now();
    const Fetched fetched = get(*client(server.url()), "/version", 100ms);
    CHECK(fetched.kind == ErrorKind::Exhausted);
    CHECK(fetched.failure ==
          "GET /version from " + server.url() + ": timed out while waiting for the server");
    CHECK(std::chrono::steady_clock::now() - started < 3s);
  }
}

TEST_CASE_FIXTURE(ClientFixture, "nobody at the other end is said so") {
  std::string url;
  {
    ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) { return ok(""); });
    url = server.url();
  }
  const Fetched fetched = get(*client(url), "/version");
  CHECK(fetched.kind == ErrorKind::System);
  CHECK(fetched.failure == "GET /version from " + url + ": Connection refused");

  const Fetched missing = get(*client("unix:///nonexistent/api.sock"), "/version");
  CHECK(missing.failure ==
        "GET /version from unix:///nonexistent/api.sock: No such file or directory");

  // No name server is asked for a label this long.
  const std::string name(64, 'a');
  const Fetched unnamed = get(*client("http://" + name), "/version");
  CHECK(unnamed.kind == ErrorKind::System);
  CHECK(unnamed.failure.starts_with("GET /version from http://" + name +
                                    ":80: looking up the name " + name + ": "));
}

TEST_CASE_FIXTURE(ClientFixture,
                  "a server that accepts and says nothing is given up at the timeout") {
  // What is not accepted is answered by the kernel alone.
  asio::ip::tcp::acceptor deaf(context, {asio::ip::make_address("127.0.0.1"), 0});
  const std::string port = std::to_string(deaf.local_endpoint().port());
  for (const std::string& scheme : {"http", "https"}) {
    const Fetched fetched = get(*client(scheme + "://127.0.0.1:" + port), "/version", 100ms);
    CHECK(fetched.kind == ErrorKind::Exhausted);
  }
}

TEST_CASE_FIXTURE(ClientFixture, "exchanges at one time are bounded, and each refusal is counted") {
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) {
    return Script{send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                  test::then(Kind::Hang)};
  });
  const auto api = client(server.url());
  std::vector<std::unique_ptr<ApiExchange>> exchanges;
  const auto open = [&]() -> asio::awaitable<std::string> {
    auto exchange = co_await api->get("/watch", 10s);
    if (!exchange) {
      co_return exchange.error().message;
    }
    exchanges.push_back(std::move(*exchange));
    co_return "";
  };
  for (std::size_t i = 0; i < ApiClient::MaxExchanges; ++i) {
    REQUIRE(test::run(context, open()) == "");
  }
  CHECK(test::run(context, open()) ==
        "GET /watch from " + server.url() + ": more than 32 exchanges at one time");
  CHECK(api->counters().refused_exchanges == 1);
  exchanges.pop_back();
  CHECK(test::run(context, open()) == "");
}

TEST_CASE_FIXTURE(ClientFixture, "an exchange that is dropped early takes its connection along") {
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) {
    return Script{send(test::response_with(std::string(100, 'a')).substr(0, 100)),
                  test::pause(1ms)};
  });
  const auto api = client(server.url());
  const auto begin = [&]() -> asio::awaitable<bool> {
    auto exchange = co_await api->get("/watch", 10s);
    co_return exchange.has_value();
  };
  CHECK(test::run(context, begin()));
  settle();
  CHECK(server.open_connections() == 0);
}

TEST_CASE_FIXTURE(ClientFixture, "an exchange may outlive its client") {
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) { return ok("hello"); });
  auto api = client(server.url());
  const auto read = [&]() -> asio::awaitable<std::string> {
    auto exchange = co_await api->get("/version", 10s);
    api.reset();
    co_return std::string((co_await (*exchange)->read(10s)).value());
  };
  CHECK(test::run(context, read()) == "hello");
}

TEST_CASE_FIXTURE(ClientFixture, "a rotated token is shown from the next request on") {
  test::TemporaryFolder folder;
  const auto file = folder.write("token", "first\n");
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) { return ok("hello"); });
  const auto api = client(access_with_token_file(server, file));
  get(*api, "/version");
  // As the kubelet does it: another file takes the name.
  std::filesystem::rename(folder.write("next", "second\n"), file);
  get(*api, "/version");
  CHECK(shows(server.requests()[0], "first"));
  CHECK(shows(server.requests()[1], "second"));
  CHECK(server.connections() == 1);
}

TEST_CASE_FIXTURE(ClientFixture, "a token that the server refuses is read again at once") {
  file_check_interval = 1h;
  test::TemporaryFolder folder;
  const auto file = folder.write("token", "first");
  ScriptedServer server(context, "127.0.0.1", {}, [](const std::string& request) {
    return shows(request, "second") ? ok("hello") : refused();
  });
  const auto api = client(access_with_token_file(server, file));
  CHECK(get(*api, "/version").status == 401);
  CHECK(server.requests().size() == 1);

  std::filesystem::rename(folder.write("next", "second"), file);
  CHECK(get(*api, "/version").body == "hello");
  CHECK(server.requests().size() == 3);
  CHECK(api->counters().renewed_credentials == 1);
}

TEST_CASE_FIXTURE(ClientFixture, "files are looked at no more often than is due") {
  file_check_interval = 1h;
  test::TemporaryFolder folder;
  const auto file = folder.write("token", "first");
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) { return ok("hello"); });
  const auto api = client(access_with_token_file(server, file));
  std::filesystem::rename(folder.write("next", "second"), file);
  get(*api, "/version");
  CHECK(shows(server.requests()[0], "first"));
}

TEST_CASE_FIXTURE(
    ClientFixture,
    "a token file that is gone or unusable leaves the last token in force, and is told once") {
  test::TemporaryFolder folder;
  const auto file = folder.write("token", "first");
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) { return ok("hello"); });
  const auto api = client(access_with_token_file(server, file));
  const auto replace = [&](const std::string& content) {
    std::filesystem::rename(folder.write("next", content), file);
    get(*api, "/version");
    get(*api, "/version");
  };
  std::filesystem::remove(file);
  get(*api, "/version");
  get(*api, "/version");
  replace("");
  replace("two\nlines " + Secret);
  replace("good");
  CHECK(warnings ==
        std::vector<std::string>{
            file.string() + ": No such file or directory; what it held stays in force",
            "the token of '" + file.string() + "' is empty; the one before stays in force",
            "the token of '" + file.string() +
                "' has characters that no token has; the one before stays in force"});
  const auto& requests = server.requests();
  REQUIRE(requests.size() == 8);
  CHECK(shows(requests[5], "first"));
  CHECK(shows(requests[6], "good"));
}

TEST_CASE_FIXTURE(ClientFixture,
                  "credentials that cannot be used are refused at the start, by name") {
  test::TemporaryFolder folder;
  const auto refusal = [&](auto change) {
    ApiAccess access = access_from_url("https://127.0.0.1:1").value();
    access.origin = "here";
    change(access);
    const auto made = try_client(access);
    return made ? "" : made.error().message;
  };
  const std::string missing = (folder.path() / "missing").string();
  CHECK(refusal([&](ApiAccess& access) { access.token.file = missing; }) ==
        missing + ": No such file or directory");
  CHECK(refusal([&](ApiAccess& access) { access.certificate_authority.file = missing; }) ==
        missing + ": No such file or directory");
  CHECK(refusal([&](ApiAccess& access) {
          access.certificate_authority.file = folder.write("ca.crt", "");
        }) == "'" + (folder.path() / "ca.crt").string() + "' is empty; expected certificates");
  CHECK(refusal([&](ApiAccess& access) { access.token.text = "a\r\nX: y"; }) ==
        "the token of the configuration has characters that no token has");
  CHECK(refusal([&](ApiAccess& access) {
          access.token.file = folder.write("large", std::string(2 << 20, 'a'));
        }) == (folder.path() / "large").string() + ": larger than 1024 KiB");
  CHECK(refusal([&](ApiAccess& access) { access.token.file = folder.path(); }) ==
        folder.path().string() + ": not a regular file");
}

TEST_CASE_FIXTURE(ClientFixture,
                  "credentials without TLS are told about once, unless they stay on this machine") {
  // Linux takes this address for its own machine; it is no loopback address all the same.
  ApiAccess access = access_from_url("http://0.0.0.0:1").value();
  access.token.text = Secret;
  const auto api = client(access);
  get(*api, "/version");
  get(*api, "/version");
  CHECK(warnings == std::vector<std::string>{
                        "http://0.0.0.0:1: credentials are sent without TLS, for everyone on the "
                        "way to read"});
  warnings.clear();
  access.token.text = "";
  get(*client(access), "/version");
  access = access_from_url("unix:///nonexistent").value();
  access.token.text = Secret;
  get(*client(access), "/version");
  CHECK(warnings.empty());
}

}  // namespace waypost::kube
