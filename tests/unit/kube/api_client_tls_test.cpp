#include "kube/api_client.h"

#include "client_fixture.h"
#include "support/test_certificates.h"
#include "support/temporary_folder.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <ctime>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace waypost::kube {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::CertificateWish;
using test::Script;
using test::ScriptedServer;
using test::ServerTls;
using test::TestAuthority;
using Kind = test::Step::Kind;

Script ok(std::string_view body) {
  return {test::send(test::response_with(body))};
}
Script greet(const std::string& /*request*/) {
  return ok("hello");
}

CertificateWish for_loopback() {
  CertificateWish wish;
  wish.common_name = "api";
  wish.names = {"localhost", "kubernetes"};
  wish.addresses = {"127.0.0.1"};
  return wish;
}

ServerTls tls_of(const TestAuthority& authority, const CertificateWish& wish = for_loopback()) {
  ServerTls tls;
  tls.certificate = authority.issue(wish);
  return tls;
}

ApiAccess access_to(const ScriptedServer& server, const std::string& authority) {
  ApiAccess access = access_from_url(server.url()).value();
  access.certificate_authority.text = authority;
  access.origin = "test";
  return access;
}

// As a Go server without TLS does.
asio::awaitable<void> answer_in_plain(asio::ip::tcp::acceptor& acceptor) {
  auto socket = co_await acceptor.async_accept(asio::use_awaitable);
  std::array<char, 1024> hello{};
  co_await socket.async_read_some(asio::buffer(hello), asio::use_awaitable);
  const std::string answer = "HTTP/1.0 400 Bad Request\r\n\r\n";
  co_await asio::async_write(socket, asio::buffer(answer), asio::use_awaitable);
}

// The time `from_now` as OpenSSL prints it, without its seconds.
std::string time_text(std::chrono::hours from_now) {
  const std::time_t time =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + from_now);
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  char text[32] = {};
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%d %H:", &utc);
  return {text, size};
}

}  // namespace

TEST_CASE_FIXTURE(ClientFixture, "a server that a known authority vouches for is believed") {
  const TestAuthority authority("cluster");
  ScriptedServer server(context, "127.0.0.1", tls_of(authority), greet);
  const auto api = client(access_to(server, authority.certificate()));
  for (int i = 0; i < 3; ++i) {
    const Fetched fetched = get(*api, "/version");
    CHECK(fetched.failure == "");
    CHECK(fetched.body == "hello");
  }
  CHECK(server.connections() == 1);
  // By its name, and by another name that it has.
  ApiAccess named = access_from_url("https://localhost:" + std::to_string(server.port())).value();
  named.certificate_authority.text = authority.certificate();
  CHECK(get(*client(named), "/version").failure == "");
  named.endpoint.host = "127.0.0.1";
  named.tls_server_name = "kubernetes";
  CHECK(get(*client(named), "/version").failure == "");
}

TEST_CASE_FIXTURE(ClientFixture,
                  "one of several authorities is enough, and so is the server's own certificate") {
  const TestAuthority authority("cluster");
  const TestAuthority other("other");
  const ServerTls tls = tls_of(authority);
  ScriptedServer server(context, "127.0.0.1", tls, greet);
  CHECK(get(*client(
                access_to(server, other.certificate() + "\n# comment\n" + authority.certificate())),
            "/version")
            .failure == "");
  CHECK(get(*client(access_to(server, tls.certificate.certificate)), "/version").failure == "");
}

TEST_CASE_FIXTURE(ClientFixture, "a server that is not to be believed is refused in words") {
  const TestAuthority authority("cluster");
  const TestAuthority namesake("cluster");
  const TestAuthority other("other");
  struct Case {
    const char* what;
    CertificateWish wish;
    const TestAuthority& trusted;
    std::string tls_server_name;
    std::string message;  // Behind the target; how it begins.
  };
  CertificateWish expired = for_loopback();
  expired.valid_from = -48h;
  expired.valid_until = -24h;
  CertificateWish early = for_loopback();
  early.valid_from = 24h;
  early.valid_until = 48h;
  CertificateWish elsewhere = for_loopback();
  elsewhere.addresses = {"10.96.0.1", "fd00::1"};
  CertificateWish nameless;
  nameless.common_name = "127.0.0.1";
  const std::string unknown =
      "no known certificate authority vouches for the server's certificate, which was issued by "
      "'CN = cluster'; give the cluster's certificate-authority";
  for (const Case& c : std::vector<Case>{
           {"expired", expired, authority, "",
            "the certificate of 'CN = api' expired at " + time_text(-24h)},
           {"not yet valid", early, authority, "",
            "the certificate of 'CN = api' is not valid before " + time_text(24h)},
           {"another address", elsewhere, authority, "",
            "the server's certificate is for localhost, kubernetes, 10.96.0.1, fd00::1, not for "
            "127.0.0.1; use one of its names as the server's address or as tls-server-name"},
           {"another name", for_loopback(), authority, "api.example.org",
            "the server's certificate is for localhost, kubernetes, 127.0.0.1, not for "
            "api.example.org"},
           {"the subject is no name", nameless, authority, "",
            "the server's certificate is for no name at all, not for 127.0.0.1"},
           {"another authority", for_loopback(), other, "", unknown},
           {"another authority of the same name", for_loopback(), namesake, "", unknown},
       }) {
    CAPTURE(c.what);
    ScriptedServer server(context, "127.0.0.1", tls_of(authority, c.wish), greet);
    ApiAccess access = access_to(server, c.trusted.certificate());
    access.tls_server_name = c.tls_server_name;
    access.token.text = "s3cr3t";
    const Fetched fetched = get(*client(access), "/version");
    CHECK(fetched.kind == ErrorKind::System);
    const std::string expected = "GET /version from " + server.url() + ": " + c.message;
    CAPTURE(fetched.failure);
    CAPTURE(expected);
    CHECK(fetched.failure.starts_with(expected));
    CHECK(server.requests().empty());  // Nobody has seen the token.

    access.certificate_authority.text = "";
    access.insecure_skip_tls_verify = true;
    CHECK(get(*client(access), "/version").failure == "");
  }
}

TEST_CASE_FIXTURE(ClientFixture, "without an authority the system's own are asked") {
  const TestAuthority authority("cluster");
  ScriptedServer server(context, "127.0.0.1", tls_of(authority), greet);
  const Fetched fetched = get(*client(access_to(server, "")), "/version");
  CHECK(fetched.failure.find("no known certificate authority vouches") != std::string::npos);
}

TEST_CASE_FIXTURE(ClientFixture, "a server that speaks something else than TLS 1.2 is said so") {
  const TestAuthority authority("cluster");
  const auto failure_with = [&](const ScriptedServer& server) {
    ApiAccess access = access_to(server, authority.certificate());
    access.endpoint.transport = ApiEndpoint::Transport::Tls;
    return get(*client(access), "/version").failure;
  };
  ServerTls old = tls_of(authority);
  old.only_old_versions = true;
  ScriptedServer old_server(context, "127.0.0.1", old, greet);
  CHECK(failure_with(old_server) == "GET /version from " + old_server.url() +
                                        ": the server speaks no version of TLS from 1.2 on");

  asio::ip::tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), 0});
  asio::co_spawn(context, answer_in_plain(acceptor), [](const std::exception_ptr&) {});
  const std::string url = "https://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
  CHECK(get(*client(url), "/version").failure ==
        "GET /version from " + url +
            ": the server does not speak TLS; expected an http:// address, or another port");
}

TEST_CASE_FIXTURE(ClientFixture, "a client shows its certificate to a server that wants one") {
  const TestAuthority authority("cluster");
  const TestAuthority users("users");
  const TestAuthority strangers("strangers");
  ServerTls tls = tls_of(authority);
  tls.client_authority = users.certificate();
  ScriptedServer server(context, "127.0.0.1", tls, greet);
  ApiAccess access = access_to(server, authority.certificate());
  const auto with = [&](const std::optional<test::TestCertificate>& own) {
    access.client_certificate.text = own ? own->certificate : "";
    access.client_key.text = own ? own->key : "";
    return get(*client(access), "/version").failure;
  };
  CertificateWish wish;
  wish.common_name = "admin";
  CHECK(with(users.issue(wish)) == "");
  const std::string refusal = "GET /version from " + server.url() +
                              ": the server refuses this client's certificate, or wants one: ";
  CHECK(with(strangers.issue(wish)).starts_with(refusal));
  CHECK(with(std::nullopt).starts_with(refusal));
}

TEST_CASE_FIXTURE(ClientFixture,
                  "certificates and keys that cannot be used are refused at the start") {
  const TestAuthority authority("cluster");
  const test::TestCertificate own = authority.issue({});
  const test::TestCertificate other = authority.issue({});
  const std::string encrypted =
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
  std::string damaged = own.certificate;
  damaged[damaged.size() / 2] = '*';
  struct Case {
    std::string authority;
    std::string certificate;
    std::string key;
    std::string message;  // How it begins.
  };
  for (const Case& c : std::vector<Case>{
           {"nonsense", "", "", "test: certificate authority: no certificate in PEM is found"},
           {own.key, "", "", "test: certificate authority: no certificate in PEM is found"},
           {damaged, "", "", "test: certificate authority: certificate 1 is damaged: "},
           {authority.certificate() + damaged, "", "",
            "test: certificate authority: certificate 2 is damaged: "},
           {"", "nonsense", own.key, "test: client certificate: no certificate in PEM is found"},
           {"", damaged, own.key, "test: client certificate: certificate 1 is damaged: "},
           {"", own.certificate, "nonsense", "test: client key: no private key in PEM is found"},
           {"", own.certificate, encrypted, "test: client key: it is encrypted; expected one"},
           {"", own.certificate, other.key,
            "test: client key: it does not belong to the client certificate"},
       }) {
    CAPTURE(c.message);
    ApiAccess access = access_from_url("https://127.0.0.1:1").value();
    access.origin = "test";
    access.certificate_authority.text = c.authority;
    access.client_certificate.text = c.certificate;
    access.client_key.text = c.key;
    const auto made = try_client(access);
    REQUIRE(!made);
    CAPTURE(made.error().message);
    CHECK(made.error().message.starts_with(c.message));
    CHECK(made.error().kind == ErrorKind::InvalidInput);
  }
}

TEST_CASE_FIXTURE(ClientFixture, "a rotated authority is believed from the next connection on") {
  test::TemporaryFolder folder;
  const TestAuthority before("before");
  const TestAuthority after("after");
  ScriptedServer server(context, "127.0.0.1", tls_of(before), greet);
  ApiAccess access = access_to(server, "");
  access.certificate_authority.file = folder.write("ca.crt", before.certificate());
  const auto api = client(access);
  CHECK(get(*api, "/version").failure == "");
  server.set_tls(tls_of(after));
  std::filesystem::rename(folder.write("next", after.certificate()), folder.path() / "ca.crt");
  // The connection of before is not used any more.
  CHECK(get(*api, "/version").failure == "");
  CHECK(server.connections() == 2);
}

TEST_CASE_FIXTURE(ClientFixture,
                  "a refused certificate makes the authority be read again at once") {
  file_check_interval = 1h;
  test::TemporaryFolder folder;
  const TestAuthority before("before");
  const TestAuthority after("after");
  ScriptedServer server(context, "127.0.0.1", tls_of(after), greet);
  ApiAccess access = access_to(server, "");
  access.certificate_authority.file = folder.write("ca.crt", before.certificate());
  const auto api = client(access);
  CHECK(get(*api, "/version").failure.find("no known certificate authority") != std::string::npos);
  std::filesystem::rename(folder.write("next", after.certificate()), folder.path() / "ca.crt");
  CHECK(get(*api, "/version").failure == "");
  CHECK(api->counters().renewed_credentials == 1);
}

TEST_CASE_FIXTURE(
    ClientFixture,
    "a certificate without its new key yet leaves the old pair in force, and is told once") {
  test::TemporaryFolder folder;
  const TestAuthority authority("cluster");
  ServerTls tls = tls_of(authority);
  tls.client_authority = authority.certificate();
  ScriptedServer server(context, "127.0.0.1", tls, greet);
  const auto first = authority.issue({});
  const auto second = authority.issue({});
  ApiAccess access = access_to(server, authority.certificate());
  access.client_certificate.file = folder.write("tls.crt", first.certificate);
  access.client_key.file = folder.write("tls.key", first.key);
  const auto api = client(access);
  CHECK(get(*api, "/version").failure == "");
  std::filesystem::rename(folder.write("next", second.certificate), folder.path() / "tls.crt");
  CHECK(get(*api, "/version").failure == "");
  CHECK(get(*api, "/version").failure == "");
  CHECK(server.connections() == 1);
  CHECK(warnings == std::vector<std::string>{
                        "test: client key: it does not belong to the client certificate; what was "
                        "before stays in force"});
  std::filesystem::rename(folder.write("next", second.key), folder.path() / "tls.key");
  CHECK(get(*api, "/version").failure == "");
  CHECK(server.connections() == 2);
}

TEST_CASE_FIXTURE(ClientFixture, "a TLS connection that is cut is no proper end of a body") {
  const TestAuthority authority("cluster");
  std::vector<Kind> ends{Kind::End, Kind::Cut, Kind::Reset};
  for (const Kind end : ends) {
    ScriptedServer server(context, "127.0.0.1", tls_of(authority), [&](const auto&) {
      return Script{test::send("HTTP/1.1 200 OK\r\n\r\nhello"), test::then(end)};
    });
    const Fetched fetched = get(*client(access_to(server, authority.certificate())), "/version");
    CHECK(fetched.failure.empty() == (end == Kind::End));
    if (end == Kind::End) {
      CHECK(fetched.body == "hello");
    } else {
      CHECK(fetched.kind == ErrorKind::System);
    }
  }
}

TEST_CASE_FIXTURE(ClientFixture, "a kept TLS connection that the server has ended is replaced") {
  const TestAuthority authority("cluster");
  ScriptedServer server(context, "127.0.0.1", tls_of(authority), [](const auto&) {
    return Script{test::send(test::response_with("hello")), test::pause(1ms),
                  test::then(Kind::End)};
  });
  const auto api = client(access_to(server, authority.certificate()));
  CHECK(get(*api, "/version").body == "hello");
  settle();
  CHECK(get(*api, "/version").body == "hello");
  CHECK(server.connections() == 2);
}

}  // namespace waypost::kube
