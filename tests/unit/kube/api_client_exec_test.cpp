#include "kube/api_client.h"

#include "base/file.h"
#include "client_fixture.h"
#include "support/test_certificates.h"
#include "support/temporary_folder.h"

#include <boost/asio/co_spawn.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

namespace waypost::kube {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::Script;
using test::ScriptedServer;

// The credential plugin of a test: a script that leaves a line in a file each time it is run.
class Plugin {
 public:
  // `script` sets the variable `status`, the JSON of the credential's status; $run is 1, 2, ...
  explicit Plugin(const std::string& script) {
    const std::string runs = (folder_.path() / "runs").string();
    const auto file = folder_.write(
        "plugin", "#!/bin/sh\necho run >> " + runs + "\nrun=$(wc -l < " + runs + ")\n" + script +
                      "\nprintf '{\"kind\":\"ExecCredential\",\"apiVersion\":"
                      "\"client.authentication.k8s.io/v1\",\"status\":%s}' \"$status\"\n");
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    exec_.api_version = "client.authentication.k8s.io/v1";
    exec_.command = file.string();
  }

  const ExecPlugin& exec() const { return exec_; }
  std::size_t runs() const {
    const auto lines = read_file(folder_.path() / "runs");
    return lines ? static_cast<std::size_t>(std::ranges::count(*lines, '\n')) : 0;
  }

 private:
  test::TemporaryFolder folder_;
  ExecPlugin exec_;
};

constexpr const char* TokenOfRun = R"(status='{"token":"run-'$run'"}')";

std::string in_seconds(int seconds) {
  const std::time_t time = std::time(nullptr) + seconds;
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  char text[32] = {};
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return {text, size};
}

ApiAccess access_with(const ScriptedServer& server, const Plugin& plugin) {
  ApiAccess access = access_from_url(server.url()).value();
  access.exec = plugin.exec();
  return access;
}

// The tokens that requests have shown.
std::vector<std::string> tokens(const ScriptedServer& server) {
  constexpr std::string_view Begin = "Authorization: Bearer ";
  std::vector<std::string> found;
  for (const std::string& request : server.requests()) {
    const auto at = request.find(Begin);
    found.push_back(
        at == std::string::npos
            ? ""
            : request.substr(at + Begin.size(), request.find('\r', at) - at - Begin.size()));
  }
  return found;
}

Script ok(const std::string& /*request*/) {
  return {test::send(test::response_with("hello"))};
}

}  // namespace

TEST_CASE_FIXTURE(ClientFixture, "a plugin is run once, and its token shown until it expires") {
  const Plugin plugin(R"(status='{"token":"run-'$run'","expirationTimestamp":")" +
                      in_seconds(3600) + R"("}')");
  ScriptedServer server(context, "127.0.0.1", {}, ok);
  const auto api = client(access_with(server, plugin));
  CHECK(plugin.runs() == 0);
  get(*api, "/version");
  get(*api, "/version");
  CHECK(plugin.runs() == 1);
  CHECK(tokens(server) == std::vector<std::string>{"run-1", "run-1"});
}

TEST_CASE_FIXTURE(ClientFixture,
                  "a token that is about to expire is renewed before it is shown again") {
  // A second is the least that a timestamp can say.
  const Plugin plugin(R"(status='{"token":"run-'$run'","expirationTimestamp":"'$(date -u )"
                      R"(-d '+1 second' +%Y-%m-%dT%H:%M:%S.%NZ)'"}')");
  ScriptedServer server(context, "127.0.0.1", {}, ok);
  const auto api = client(access_with(server, plugin));
  get(*api, "/version");
  context.restart();
  context.run_for(1s);
  get(*api, "/version");
  CHECK(tokens(server) == std::vector<std::string>{"run-1", "run-2"});
}

TEST_CASE_FIXTURE(ClientFixture, "requests that wait for a plugin share one run") {
  const Plugin plugin(std::string("sleep 0.1\n") + TokenOfRun);
  ScriptedServer server(context, "127.0.0.1", {}, ok);
  const auto api = client(access_with(server, plugin));
  int done = 0;
  for (int i = 0; i < 5; ++i) {
    asio::co_spawn(context, fetch(*api, "/version", 10s),
                   [&](const std::exception_ptr&, const Fetched& fetched) {
                     CHECK(fetched.body == "hello");
                     ++done;
                   });
  }
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (done < 5 && context.run_one_until(deadline) > 0) {
  }
  CHECK(done == 5);
  CHECK(plugin.runs() == 1);
}

TEST_CASE_FIXTURE(ClientFixture, "a refused token makes the plugin run again, once") {
  const Plugin plugin(TokenOfRun);
  std::string accepted = "run-2";
  ScriptedServer server(context, "127.0.0.1", {}, [&](const std::string& request) {
    const bool is_accepted = request.find(" " + accepted + "\r\n") != std::string::npos;
    return is_accepted
               ? ok(request)
               : Script{test::send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")};
  });
  const auto api = client(access_with(server, plugin));
  CHECK(get(*api, "/version").body == "hello");
  CHECK(tokens(server) == std::vector<std::string>{"run-1", "run-2"});
  accepted = "none";
  CHECK(get(*api, "/version").status == 401);
  CHECK(tokens(server) == std::vector<std::string>{"run-1", "run-2", "run-2", "run-3"});
}

TEST_CASE_FIXTURE(ClientFixture,
                  "a plugin that fails is the request's failure, and is tried again") {
  const Plugin plugin(std::string("[ $run = 1 ] && { echo 'log in first' >&2; exit 1; }\n") +
                      TokenOfRun);
  ScriptedServer server(context, "127.0.0.1", {}, ok);
  const auto api = client(access_with(server, plugin));
  const Fetched fetched = get(*api, "/version");
  CHECK(fetched.kind == ErrorKind::System);
  CHECK(fetched.failure == "GET /version from " + server.url() + ": credential plugin: " +
                               plugin.exec().command + " ended with status 1: log in first");
  CHECK(server.connections() == 0);
  CHECK(get(*api, "/version").body == "hello");
}

TEST_CASE_FIXTURE(ClientFixture, "a plugin that fails after a refusal is the request's failure") {
  const Plugin plugin(std::string("[ $run = 2 ] && exit 1\n") + TokenOfRun);
  ScriptedServer server(context, "127.0.0.1", {}, [](const auto&) {
    return Script{test::send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")};
  });
  CHECK(get(*client(access_with(server, plugin)), "/version").failure ==
        "GET /version from " + server.url() +
            ": the server refuses the credentials, and getting new ones: credential plugin: " +
            plugin.exec().command + " ended with status 1 without a word on stderr");
}

TEST_CASE_FIXTURE(
    ClientFixture,
    "a slow plugin does not hold a request beyond its timeout, and is there for the next") {
  const Plugin plugin(std::string("sleep 0.4\n") + TokenOfRun);
  ScriptedServer server(context, "127.0.0.1", {}, ok);
  const auto api = client(access_with(server, plugin));
  const Fetched late = get(*api, "/version", 100ms);
  CHECK(late.kind == ErrorKind::Exhausted);
  CHECK(late.failure == "GET /version from " + server.url() +
                            ": timed out while waiting for the credential plugin " +
                            plugin.exec().command);
  CHECK(get(*api, "/version").body == "hello");
  CHECK(plugin.runs() == 1);
}

TEST_CASE_FIXTURE(ClientFixture,
                  "a credential that has expired or cannot stand in a header is refused") {
  struct Case {
    std::string status;
    std::string message;
  };
  for (const Case& c : {Case{R"({"token":"s3cr3t","expirationTimestamp":"2020-01-01T00:00:00Z"})",
                             ": the credential has expired already; mend this machine's clock"},
                        Case{R"({"token":"s3cr3t x"})", " has characters that no token has"}}) {
    const Plugin plugin("status='" + c.status + "'");
    ScriptedServer server(context, "127.0.0.1", {}, ok);
    const std::string failure = get(*client(access_with(server, plugin)), "/version").failure;
    CHECK(failure.ends_with(c.message));
    CHECK(failure.find("s3cr3t") == std::string::npos);
  }
}

TEST_CASE_FIXTURE(ClientFixture, "a plugin's certificate is shown to the server") {
  const test::TestAuthority authority("cluster");
  test::CertificateWish wish;
  wish.addresses = {"127.0.0.1"};
  test::ServerTls tls;
  tls.certificate = authority.issue(wish);
  tls.client_authority = authority.certificate();
  ScriptedServer server(context, "127.0.0.1", tls, ok);
  const auto own = authority.issue({});
  test::TemporaryFolder folder;
  const auto in_json = [](std::string pem) {
    for (std::size_t at = 0; (at = pem.find('\n', at)) != std::string::npos; at += 2) {
      pem.replace(at, 1, "\\n");
    }
    return pem;
  };
  const auto status =
      folder.write("status", R"({"clientCertificateData":")" + in_json(own.certificate) +
                                 R"(","clientKeyData":")" + in_json(own.key) + "\"}");
  const Plugin plugin("status=$(cat " + status.string() + ")");
  ApiAccess access = access_with(server, plugin);
  access.certificate_authority.text = authority.certificate();
  const auto api = client(access);
  CHECK(get(*api, "/version").failure == "");
  CHECK(get(*api, "/version").body == "hello");
  CHECK(plugin.runs() == 1);
  CHECK(server.connections() == 1);
}

}  // namespace waypost::kube
