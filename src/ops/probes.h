// What kubelets and load balancers ask: does the process live, and is it ready for clients.

#pragma once

#include "ops/http_server.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace waypost::ops {

// The answer of /health: 200 "OK" from whoever can answer at all.
HttpReply health_reply();

// What a Service proxy says of itself on /healthz and /livez.
struct ProxyHealth {
  using Time = std::chrono::system_clock::time_point;

  bool is_healthy = true;
  std::optional<bool> is_node_eligible = {};  // Only /healthz speaks of the node, and minds it.
  std::optional<Time> last_updated = {};      // When rules were in force last; nothing: not yet.
  Time now = {};
};

// 200 or 503, and kube-proxy's body: the times, spelled as Go prints them, of which the first is
// the present one for whoever is healthy, and nodeEligible.
HttpReply proxy_health_reply(const ProxyHealth& health);

// The answer of /proxyMode: how Services are translated, in kube-proxy's word, without a line's
// end.
HttpReply proxy_mode_reply();

// The answer of /ready, from conditions that the parts of a program name.  Bodies as CoreDNS' ready
// plugin has them.  Control thread only.
class Readiness {
 public:
  using Condition = std::function<bool()>;

  // `holds` is asked at every probe.  `name` is what the answer calls it while it does not hold; of
  // letters, digits and '_'.
  void require(std::string name, Condition holds) {
    conditions_.emplace_back(std::move(name), std::move(holds));
  }

  // From now on it is not ready, whatever holds: clients should go elsewhere.
  void shut_down() noexcept { is_shutting_down_ = true; }

  // 200 "OK"; 503 with the names of what does not hold, separated by commas; 503 "Shutting down".
  HttpReply reply() const;

 private:
  std::vector<std::pair<std::string, Condition>> conditions_;
  bool is_shutting_down_ = false;
};

}  // namespace waypost::ops
