#include "ops/programming_times.h"

#include "cache/gate.h"
#include "cache/service_cache.h"
#include "support/cluster.h"

#include <doctest/doctest.h>
#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <string>
#include <string_view>

namespace waypost::test {
namespace {

using ops::ProgrammingTimes;
using ops::Scrape;

// Half a second after the changes below.
constexpr std::chrono::sys_days Day = std::chrono::year(2026) / 3 / 1;
constexpr std::chrono::system_clock::time_point Now = Day + std::chrono::milliseconds(500);
constexpr std::string_view Changed = "2026-03-01T00:00:00Z";

std::string service(std::string_view name, std::string_view cluster_ip, std::string_view created) {
  return fmt::format(R"(---
apiVersion: v1
kind: Service
metadata: {{name: {}, namespace: shop, creationTimestamp: "{}"}}
spec: {{clusterIP: {}, ports: [{{port: 80}}]}}
)",
                     name, created, cluster_ip);
}

// `times` is a part of its metadata.
std::string slice(std::string_view of, std::string_view times, int address) {
  return fmt::format(R"(---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {0}-1, namespace: shop, labels: {{kubernetes.io/service-name: {0}}}, {1}}}
addressType: IPv4
endpoints: [{{addresses: [10.1.0.{2}]}}]
ports: [{{port: 80}}]
)",
                     of, times, address);
}

std::string triggered(std::string_view time) {
  return fmt::format(R"(creationTimestamp: "2020-01-01T00:00:00Z", annotations: )"
                     R"({{endpoints.kubernetes.io/last-change-trigger-time: "{}"}})",
                     time);
}

std::string created(std::string_view time) {
  return fmt::format(R"(creationTimestamp: "{}")", time);
}

struct Fixture {
  ProgrammingTimes times{[] { return Now; }};
  cache::ServiceCache cache;

  Fixture() { cache.subscribe(times); }
  ~Fixture() { cache.unsubscribe(times); }

  // "count of cluster_ip, of headless_with_selector, of headless_without_selector"
  std::string counts() const {
    Scrape scrape;
    times.collect(scrape);
    const std::string text = scrape.text();
    std::string found;
    for (const char* kind : {"cluster_ip", "headless_with_selector", "headless_without_selector"}) {
      const std::string line = fmt::format(
          "coredns_kubernetes_dns_programming_duration_seconds_count{{service_kind=\"{}\"}} ",
          kind);
      const std::size_t at = text.find(line);
      REQUIRE(at != std::string::npos);
      found += text.substr(at + line.size(), text.find('\n', at) - at - line.size()) + " ";
    }
    return found;
  }
};

TEST_CASE("each kind of Service is timed by what tells when it changed") {
  Fixture fixture;
  fixture.cache.set_synced();
  load_world(fixture.cache, service("ip", "10.96.0.7", Changed));
  CHECK(fixture.counts() == "1 0 0 ");
  load_world(fixture.cache, slice("ip", triggered(Changed), 1));  // Its name stays as it is.
  CHECK(fixture.counts() == "1 0 0 ");
  load_world(fixture.cache, service("db", "None", Changed));  // No name has an address yet.
  CHECK(fixture.counts() == "1 0 0 ");
  load_world(fixture.cache, slice("db", triggered(Changed), 2));
  CHECK(fixture.counts() == "1 1 0 ");
  load_world(fixture.cache, slice("db", triggered(Changed), 3));
  CHECK(fixture.counts() == "1 2 0 ");
  load_world(fixture.cache, service("own", "None", Changed));
  load_world(fixture.cache, slice("own", created(Changed), 4));
  CHECK(fixture.counts() == "1 2 1 ");
  load_world(fixture.cache, slice("own", created(Changed), 5));  // When it changed, nobody says.
  CHECK(fixture.counts() == "1 2 1 ");
}

TEST_CASE("a name that waits for its rules is timed when it is shown") {
  auto now = Now;
  ProgrammingTimes times([&] { return now; });
  cache::ServiceCache cache;
  cache::Gate gate(cache, std::chrono::seconds(10));
  gate.subscribe(times);
  cache.set_synced();
  gate.open(0);
  load_world(cache, service("ip", "10.96.0.7", Changed));
  const auto told = [&] {
    Scrape scrape;
    times.collect(scrape);
    const std::string text = scrape.text();
    return text.substr(0, text.find("headless"));
  };
  CHECK(told().find("_count{service_kind=\"cluster_ip\"} 0\n") != std::string::npos);
  now += std::chrono::seconds(2);
  gate.open(1);
  CHECK(told().find("_count{service_kind=\"cluster_ip\"} 1\n") != std::string::npos);
  CHECK(told().find("_sum{service_kind=\"cluster_ip\"} 2.5\n") != std::string::npos);
  gate.unsubscribe(times);
}

TEST_CASE("what was there before is not timed, and what is not known is left out") {
  Fixture fixture;
  load_world(fixture.cache, service("db", "None", Changed) + slice("db", triggered(Changed), 1));
  fixture.cache.set_synced();
  CHECK(fixture.counts() == "0 0 0 ");
  load_world(fixture.cache, slice("nobody", triggered(Changed), 2));
  load_world(fixture.cache, service("bad", "10.96.0.9", "yesterday"));
  CHECK(fixture.counts() == "0 0 0 ");
}

TEST_CASE("a change is counted in the bucket of its age, also where clocks differ") {
  Fixture fixture;
  fixture.cache.set_synced();
  load_world(fixture.cache, service("db", "None", Changed));
  load_world(fixture.cache, slice("db", triggered(Changed), 1));                   // 0.5 s
  load_world(fixture.cache, slice("db", triggered("2026-03-01T00:00:07Z"), 2));    // Not yet.
  load_world(fixture.cache, slice("db", triggered("2026-02-28T23:00:00.5Z"), 3));  // An hour.
  Scrape scrape;
  fixture.times.collect(scrape);
  const std::string text = scrape.text();
  for (const char* line : {"bucket{service_kind=\"headless_with_selector\",le=\"0.001\"} 1\n",
                           "bucket{service_kind=\"headless_with_selector\",le=\"0.256\"} 1\n",
                           "bucket{service_kind=\"headless_with_selector\",le=\"0.512\"} 2\n",
                           "bucket{service_kind=\"headless_with_selector\",le=\"524.288\"} 2\n",
                           "bucket{service_kind=\"headless_with_selector\",le=\"+Inf\"} 3\n",
                           "sum{service_kind=\"headless_with_selector\"} 3600.5\n"}) {
    CHECK_MESSAGE(text.find(line) != std::string::npos, line, " is not in\n", text);
  }
}

}  // namespace
}  // namespace waypost::test
