#include "ops/probes.h"

namespace waypost::ops {

HttpReply health_reply() {
  return {.body = "OK"};
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
