#include "ops/health_check_ports.h"

#include "cache/service_cache.h"
#include "kube/yaml_decoder.h"
#include "support/caught_log.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace waypost::ops {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A socket that listens on a port of every address, or one that nobody else has.
class Squatter {
 public:
  Squatter() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in here{};
    here.sin_family = AF_INET;
    socklen_t size = sizeof here;
    auto* generic = reinterpret_cast<sockaddr*>(&here);
    REQUIRE(::bind(fd_, generic, size) == 0);
    REQUIRE(::listen(fd_, 1) == 0);
    REQUIRE(::getsockname(fd_, generic, &size) == 0);
    port = ntohs(here.sin_port);
  }
  ~Squatter() { ::close(fd_); }
  Squatter(const Squatter&) = delete;
  Squatter& operator=(const Squatter&) = delete;
  std::uint16_t port = 0;

 private:
  int fd_;
};

std::uint16_t free_port() {
  return Squatter().port;
}

std::string service(std::string_view name, std::uint16_t port, std::string_view policy = "Local") {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + std::string(name) +
         ", namespace: ns}\nspec: {type: LoadBalancer, clusterIP: 10.96.0.1, "
         "externalTrafficPolicy: " +
         std::string(policy) + ", healthCheckNodePort: " + std::to_string(port) +
         ", ports: [{name: a, port: 80}, {name: b, port: 81}]}\n";
}

// Endpoints as their YAML; the ports are a and b unless `ports` says otherwise.
std::string slice(std::string_view service, std::string_view name,
                  std::initializer_list<std::string_view> endpoints, bool is_v6 = false,
                  std::string_view ports = "{name: a, port: 80}, {name: b, port: 81}") {
  std::string text =
      "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: " +
      std::string(name) +
      ", namespace: ns, labels: {kubernetes.io/service-name: " + std::string(service) +
      "}}\naddressType: " + (is_v6 ? "IPv6" : "IPv4") + "\nports: [" + std::string(ports) +
      "]\nendpoints:\n";
  for (const std::string_view endpoint : endpoints) {
    text += "- {" + std::string(endpoint) + "}\n";
  }
  return text;
}

struct Fixture {
  void put(std::string_view yaml) {
    kube::Manifests manifests = kube::decode_manifests(yaml, {.traffic = true});
    for (const auto& problem : manifests.problems) {
      FAIL(problem.message);
    }
    for (auto& decoded : manifests.services) {
      cache.put(std::move(decoded.object));
    }
    for (auto& decoded : manifests.slices) {
      cache.put(std::move(decoded.object));
    }
  }
  void start(milliseconds retry = milliseconds(5)) {
    ports = std::make_unique<HealthCheckPorts>(
        context, cache, "here", [this] { return is_healthy; }, retry);
  }
  std::size_t count(std::string_view name) const {
    return count_local_endpoints(*cache.find({"ns", std::string(name)}), "here");
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

  // The whole reply, "" when nobody listens.
  std::string ask(std::uint16_t port, std::string_view path = "/") {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string reply;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) {
      const std::string request =
          "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
      REQUIRE(::send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
              static_cast<ssize_t>(request.size()));
      CHECK(run_until([&] {
        char part[2048];
        const ssize_t size = ::recv(fd, part, sizeof part, MSG_DONTWAIT);
        reply.append(part, size > 0 ? static_cast<std::size_t>(size) : 0);
        return size == 0;
      }));
    }
    ::close(fd);
    return reply;
  }

  boost::asio::io_context context{1};
  cache::ServiceCache cache;
  bool is_healthy = true;
  std::unique_ptr<HealthCheckPorts> ports;
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("endpoints that are ready here count, each address once") {
  struct Case {
    std::string_view name;
    std::string slices;
    std::size_t expected;
  };
  const std::string here = "addresses: [10.1.1.1], nodeName: here, conditions: ";
  for (const Case& c : {
           Case{"none", "", 0},
           Case{"ready", slice("svc", "s", {here + "{ready: true}"}), 1},
           Case{"nothing said means ready", slice("svc", "s", {here + "{}"}), 1},
           Case{"elsewhere", slice("svc", "s", {"addresses: [10.1.1.1], nodeName: there"}), 0},
           Case{"nowhere", slice("svc", "s", {"addresses: [10.1.1.1]"}), 0},
           Case{"not ready", slice("svc", "s", {here + "{ready: false}"}), 0},
           Case{"ends and serves",
                slice("svc", "s", {here + "{ready: false, serving: true, terminating: true}"}), 0},
           // publishNotReadyAddresses: rules lead there, too.
           Case{"ends and is ready all the same",
                slice("svc", "s", {here + "{ready: true, serving: true, terminating: true}"}), 1},
           Case{"twice in two slices",
                slice("svc", "s", {here + "{}"}) + slice("svc", "t", {here + "{}"}), 1},
           Case{"several",
                slice("svc", "s",
                      {here + "{}", "addresses: [10.1.1.2], nodeName: here",
                       "addresses: [10.1.1.3], nodeName: there"}),
                2},
           Case{"the first of an endpoint's addresses",
                slice("svc", "s", {"addresses: [10.1.1.1, 10.1.1.2], nodeName: here"}), 1},
           Case{"no port that leads to it", slice("svc", "s", {here + "{}"}, false, ""), 0},
           // One Pod with two addresses, and one that has IPv6 only.
           Case{"both families",
                slice("svc", "s", {here + "{}"}) + slice("svc", "t",
                                                         {"addresses: ['fd00::1'], nodeName: here",
                                                          "addresses: ['fd00::2'], nodeName: here"},
                                                         true),
                2},
       }) {
    INFO(c.name);
    Fixture fixture;
    fixture.put(service("svc", 0) + c.slices);
    CHECK(fixture.count("svc") == c.expected);
  }
}

TEST_CASE("a health-check port answers on every path what kube-proxy answers") {
  Fixture fixture;
  const std::uint16_t port = free_port();
  fixture.start();
  fixture.put(service("svc", port) + slice("svc", "s",
                                           {"addresses: [10.1.1.1], nodeName: here",
                                            "addresses: [10.1.1.2], nodeName: here",
                                            "addresses: [10.1.1.3], nodeName: there"}));
  for (const char* path : {"/", "/healthz", "/any/path?x=1"}) {
    INFO(path);
    const std::string reply = fixture.ask(port, path);
    CHECK(reply.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(has(reply, "\r\nContent-Type: application/json\r\n"));
    CHECK(has(reply, "\r\nX-Content-Type-Options: nosniff\r\n"));
    CHECK(has(reply, "\r\nX-Load-Balancing-Endpoint-Weight: 2\r\n"));
    CHECK(
        reply.ends_with("\r\n\r\n{\n\t\"service\": {\n\t\t\"namespace\": \"ns\",\n\t\t\"name\": "
                        "\"svc\"\n\t},\n\t\"localEndpoints\": 2,\n\t\"serviceProxyHealthy\": "
                        "true\n}"));
  }
  fixture.is_healthy = false;
  std::string reply = fixture.ask(port);
  CHECK(reply.starts_with("HTTP/1.1 503 "));
  CHECK(has(reply, "Weight: 2\r\n"));
  CHECK(has(reply, "\"localEndpoints\": 2,\n\t\"serviceProxyHealthy\": false"));
  fixture.is_healthy = true;
  fixture.put(slice("svc", "s", {"addresses: [10.1.1.3], nodeName: there"}));
  reply = fixture.ask(port);
  CHECK(reply.starts_with("HTTP/1.1 503 "));
  CHECK(has(reply, "Weight: 0\r\n"));
  CHECK(has(reply, "\"localEndpoints\": 0,\n\t\"serviceProxyHealthy\": true"));
  CHECK(fixture.ports->unserved() == 0);
}

TEST_CASE("a health-check port is there as long as the Service wants it") {
  Fixture fixture;
  const std::uint16_t port = free_port();
  const std::uint16_t other = free_port();
  fixture.put(service("svc", port) + slice("svc", "s", {"addresses: [10.1.1.1], nodeName: here"}));
  fixture.start();
  CHECK(has(fixture.ask(port), "200 OK"));
  fixture.put(service("svc", other));
  CHECK(fixture.ask(port).empty());
  CHECK(has(fixture.ask(other), "200 OK"));
  // Only policy Local has health checks.
  fixture.put(service("svc", other, "Cluster"));
  CHECK(fixture.ask(other).empty());
  fixture.put(service("svc", other));
  CHECK(has(fixture.ask(other), "200 OK"));
  fixture.cache.erase_service({"ns", "svc"});
  CHECK(fixture.ask(other).empty());
}

TEST_CASE("a port that two Services want goes to the second when the first is gone") {
  const test::CaughtLog log;
  Fixture fixture;
  const std::uint16_t port = free_port();
  fixture.start();
  fixture.put(service("one", port) + service("two", port) +
              slice("two", "s", {"addresses: [10.1.1.1], nodeName: here"}));
  CHECK(has(fixture.ask(port), "\"name\": \"one\""));
  CHECK(fixture.ports->unserved() == 1);
  fixture.cache.erase_service({"ns", "one"});
  CHECK(has(fixture.ask(port), "\"name\": \"two\""));
  CHECK(has(fixture.ask(port), "\"localEndpoints\": 1"));
  CHECK(fixture.ports->unserved() == 0);
}

TEST_CASE("a port that another program has is taken once that is gone") {
  test::CaughtLog log;
  Fixture fixture;
  auto squatter = std::make_unique<Squatter>();
  const std::uint16_t port = squatter->port;
  fixture.start();
  fixture.put(service("svc", port) + slice("svc", "s", {"addresses: [10.1.1.1], nodeName: here"}));
  CHECK(fixture.ports->unserved() == 1);
  CHECK_FALSE(fixture.run_until([&] { return fixture.ports->unserved() == 0; }, milliseconds(30)));
  squatter.reset();
  CHECK(fixture.run_until([&] { return fixture.ports->unserved() == 0; }));
  CHECK(has(fixture.ask(port), "200 OK"));
  // Told once when it began, and once when it was over.
  const std::string text = log.take();
  CHECK(text.find("trying again") == text.rfind("trying again"));
  CHECK(has(text, "trying again"));
  CHECK(has(text, "is open"));
}

}  // namespace waypost::ops
