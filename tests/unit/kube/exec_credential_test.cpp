#include "kube/exec_credential.h"

#include "kube/timestamp.h"
#include "support/coroutine.h"
#include "support/temporary_folder.h"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace waypost::kube {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view V1 = "client.authentication.k8s.io/v1";

std::string credential(const std::string& status, const std::string& version = std::string(V1)) {
  return R"({"kind":"ExecCredential","apiVersion":")" + version + R"(","spec":{},"status":)" +
         status + "}";
}

Result<ExecCredential> run(const std::string& script, std::chrono::milliseconds limit = 10s,
                           const std::string& hint = "") {
  test::TemporaryFolder folder;
  const auto file = folder.write("plugin", "#!/bin/sh\n" + script);
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  ExecPlugin plugin;
  plugin.api_version = V1;
  plugin.command = file.string();
  plugin.arguments = {"--for", "a b"};
  plugin.environment = {{"GREETING", "hello"}};
  plugin.install_hint = hint;
  plugin.exec_info = "{told}";
  boost::asio::io_context context;
  auto result = test::run(context, run_exec_plugin(plugin, limit));
  if (!result) {
    auto& message = result.error().message;
    const auto at = message.find(file.string());
    REQUIRE(at != std::string::npos);
    message.replace(at, file.string().size(), "PLUGIN");
  }
  return result;
}

}  // namespace

TEST_CASE("what a plugin writes is a token, a certificate, and how long they last") {
  const auto token = decode_exec_credential(credential(R"({"token":"t"})"), V1);
  REQUIRE(token);
  CHECK(token->token == "t");
  CHECK(token->client_certificate == "");
  CHECK(!token->expires);

  const auto all = decode_exec_credential(
      credential(R"({"token":"t","clientCertificateData":"-----\nC\n","clientKeyData":"K\/",)"
                 R"("expirationTimestamp":"2026-11-24T02:17:03Z"})"),
      V1);
  REQUIRE(all);
  CHECK(all->client_certificate == "-----\nC\n");
  CHECK(all->client_key == "K/");
  CHECK(all->expires == parse_timestamp("2026-11-24T02:17:03Z"));
}

TEST_CASE("what is no credential is refused, without what it holds") {
  struct Case {
    std::string text;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {"", "the output is not a JSON object"},
           {"s3cr3t", "the output is not a JSON object"},
           {"{\"s3cr3t\": [", "the output is not JSON"},
           {"{}", "the output's kind is not ExecCredential"},
           {R"({"kind":"ExecCredential"})",
            "the output's apiVersion is not client.authentication.k8s.io/v1, which was asked for"},
           {credential(R"({"token":"s3cr3t"})", "client.authentication.k8s.io/v1beta1"),
            "the output's apiVersion is not client.authentication.k8s.io/v1, which was asked for"},
           {credential("null"), "the output has no status"},
           {credential("{}"), "status has neither a token nor a client certificate"},
           {credential(R"({"token":["s3cr3t"]})"), "status.token is not a string"},
           {credential(R"({"clientKeyData":"s3cr3t"})"),
            "status has only one of clientCertificateData and clientKeyData"},
           {credential(R"({"token":"s3cr3t","expirationTimestamp":"soon"})"),
            "status.expirationTimestamp is not a time as in RFC 3339"},
       }) {
    CAPTURE(c.text);
    const auto decoded = decode_exec_credential(c.text, V1);
    REQUIRE(!decoded);
    CHECK(decoded.error().message == c.message);
  }
}

TEST_CASE("a plugin is told what it needs, and its credential is taken") {
  const auto result =
      run("printf '%s' '" +
          credential("{\"token\":\"'\"$1/$2/$GREETING/$KUBERNETES_EXEC_INFO\"'\"}") + "'");
  REQUIRE(result);
  CHECK(result->token == "--for/a b/hello/{told}");
}

TEST_CASE("a plugin that fails says why in its own words, on one line") {
  struct Case {
    std::string script;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {"echo s3cr3t; printf 'log in\\n\\033[1mfirst\\n' >&2; exit 3",
            "credential plugin: PLUGIN ended with status 3: log in  [1mfirst"},
           {"echo s3cr3t; exit 1",
            "credential plugin: PLUGIN ended with status 1 without a word on stderr"},
           {"kill -KILL $$",
            "credential plugin: PLUGIN was ended by signal 9 without a word on "
            "stderr"},
           {"echo s3cr3t", "credential plugin: PLUGIN: the output is not a JSON object"},
           {"head -c 2000000 /dev/zero",
            "credential plugin: PLUGIN: wrote more than 1048576 octets"},
       }) {
    CAPTURE(c.script);
    const auto result = run(c.script);
    REQUIRE(!result);
    CHECK(result.error().message == c.message);
  }
  const auto late = run("sleep 60", 100ms);
  REQUIRE(!late);
  CHECK(late.error().kind == ErrorKind::Exhausted);
  CHECK(late.error().message == "credential plugin: PLUGIN: not done after 100 ms");
}

TEST_CASE("a plugin that is not there is said so, with the hint where to get it") {
  ExecPlugin plugin;
  plugin.command = "waypost-no-such-plugin";
  plugin.install_hint = "See\nexample.org.";
  boost::asio::io_context context;
  const auto result = test::run(context, run_exec_plugin(plugin, 1s));
  REQUIRE(!result);
  CHECK(result.error().kind == ErrorKind::NotFound);
  CHECK(result.error().message ==
        "credential plugin: waypost-no-such-plugin: No such file or directory; See example.org.");
}

TEST_CASE("times are read as RFC 3339 writes them") {
  const std::chrono::system_clock::time_point base(std::chrono::seconds(1'795'486'623));
  CHECK(parse_timestamp("2026-11-24T02:17:03Z") == base);
  CHECK(parse_timestamp("2026-11-24t02:17:03z") == base);
  CHECK(parse_timestamp("2026-11-24T03:17:03+01:00") == base);
  CHECK(parse_timestamp("2026-11-23T20:47:03-05:30") == base);
  CHECK(parse_timestamp("2026-11-24T02:17:03.250Z") == base + 250ms);
  CHECK(parse_timestamp("2026-11-24T02:17:03.123456789Z") == base + 123'456'789ns);
  CHECK(parse_timestamp("2024-02-29T00:00:00Z"));
  for (const char* text :
       {"", "2026-11-24", "2026-11-24T02:17:03", "2026-11-24T02:17Z", "2026-11-24T02:17:03Zx",
        "2026-13-24T02:17:03Z", "2026-02-29T02:17:03Z", "2026-11-24T24:17:03Z",
        "2026-11-24T02:60:03Z", "2026-11-24T02:17:61Z", "2026-11-24T02:17:03+0100",
        "2026-11-24T02:17:03+24:00", "1969-11-24T02:17:03Z", "2201-11-24T02:17:03Z",
        "20261124T021703Z", "+026-11-24T02:17:03Z"}) {
    CAPTURE(text);
    CHECK(!parse_timestamp(text));
  }
}

}  // namespace waypost::kube
