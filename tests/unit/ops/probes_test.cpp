#include "ops/probes.h"

#include <doctest/doctest.h>

namespace waypost::ops {

TEST_CASE("whoever can answer is healthy") {
  CHECK(health_reply().status == 200);
  CHECK(health_reply().body == "OK");
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
