#include "ops/probes.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>

namespace waypost::ops {

TEST_CASE("whoever can answer is healthy") {
  CHECK(health_reply().status == 200);
  CHECK(health_reply().body == "OK");
}

TEST_CASE("a Service proxy speaks of itself as kube-proxy does") {
  const auto at = [](std::int64_t us) { return ProxyHealth::Time(std::chrono::microseconds(us)); };
  constexpr std::int64_t Noon = 1769860800000000;  // 2026-01-31 12:00:00 UTC
  ProxyHealth health{.last_updated = at(Noon), .now = at(Noon + 61'000'123)};
  CHECK(proxy_health_reply(health).status == 200);
  CHECK(proxy_health_reply(health).content_type == "application/json");
  CHECK(proxy_health_reply(health).body ==
        R"({"lastUpdated": "2026-01-31 12:01:01.000123 +0000 UTC",)"
        R"("currentTime": "2026-01-31 12:01:01.000123 +0000 UTC"})");
  health.is_node_eligible = true;
  CHECK(proxy_health_reply(health).status == 200);
  // The node is about to go: the rules are not to blame, but nobody should come here.
  health.is_node_eligible = false;
  CHECK(proxy_health_reply(health).status == 503);
  CHECK(proxy_health_reply(health).body ==
        R"({"lastUpdated": "2026-01-31 12:00:00.000000 +0000 UTC",)"
        R"("currentTime": "2026-01-31 12:01:01.000123 +0000 UTC", "nodeEligible": false})");
  health = {.is_healthy = false, .is_node_eligible = true, .now = at(Noon)};
  CHECK(proxy_health_reply(health).status == 503);
  CHECK(proxy_health_reply(health).body ==
        R"({"lastUpdated": "0001-01-01 00:00:00 +0000 UTC",)"
        R"("currentTime": "2026-01-31 12:00:00.000000 +0000 UTC", "nodeEligible": true})");
}

TEST_CASE("ready is who has everything that is required, and is not shutting down") {
  Readiness readiness;
  CHECK(readiness.reply().status == 200);
  CHECK(readiness.reply().body == "OK");

  bool is_synced = false;
  bool is_connected = false;
  readiness.require("kubernetes", [&] { return is_synced; });
  readiness.require("upstreams", [&] { return is_connected; });
  CHECK(readiness.reply().status == 503);
  CHECK(readiness.reply().body == "kubernetes,upstreams");
  is_synced = true;
  CHECK(readiness.reply().body == "upstreams");
  is_connected = true;
  CHECK(readiness.reply().status == 200);
  is_synced = false;
  CHECK(readiness.reply().body == "kubernetes");

  is_synced = true;
  readiness.shut_down();
  CHECK(readiness.reply().status == 503);
  CHECK(readiness.reply().body == "Shutting down");
}

}  // namespace waypost::ops
