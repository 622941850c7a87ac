#include "ops/probes.h"

#include <spdlog/fmt/fmt.h>

namespace waypost::ops {
namespace {

// "2026-01-31 12:00:00.000123 +0000 UTC".
std::string go_text(ProxyHealth::Time time) {
  using std::chrono::floor;
  const auto seconds = floor<std::chrono::seconds>(time);
  const std::chrono::year_month_day day(floor<std::chrono::days>(seconds));
  const std::chrono::hh_mm_ss clock(seconds - floor<std::chrono::days>(seconds));
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06} +0000 UTC",
                     static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                     static_cast<unsigned>(day.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(),
                     floor<std::chrono::microseconds>(time - seconds).count());
}

}  // namespace

HttpReply health_reply() {
  return {.body = "OK"};
}

HttpReply proxy_health_reply(const ProxyHealth& health) {
  const bool is_good = health.is_healthy && health.is_node_eligible.value_or(true);
  HttpReply reply;
  reply.status = is_good ? 200 : 503;
  reply.content_type = "application/json";
  reply.headers = {{"X-Content-Type-Options", "nosniff"}};
  const std::string last = is_good               ? go_text(health.now)
                           : health.last_updated ? go_text(*health.last_updated)
                                                 : "0001-01-01 00:00:00 +0000 UTC";
  reply.body =
      fmt::format("{{\"lastUpdated\": \"{}\",\"currentTime\": \"{}\"", last, go_text(health.now));
  if (health.is_node_eligible) {
    reply.body += fmt::format(", \"nodeEligible\": {}", *health.is_node_eligible);
  }
  reply.body += "}";
  return reply;
}

HttpReply proxy_mode_reply() {
  return {.body = "iptables", .headers = {{"X-Content-Type-Options", "nosniff"}}};
}

HttpReply Readiness::reply() const {
  if (is_shutting_down_) {
    return {.status = 503, .body = "Shutting down"};
  }
  std::string waiting;
  for (const auto& [name, holds] : conditions_) {
    if (!holds()) {
      waiting += (waiting.empty() ? "" : ",") + name;
    }
  }
  return waiting.empty() ? HttpReply{.body = "OK"} : HttpReply{.status = 503, .body = waiting};
}

}  // namespace waypost::ops
