#include "ops/health_check_ports.h"

#include "base/log.h"
#include "ops/node_facts.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <set>
#include <utility>

namespace waypost::ops {
namespace {

// Only load balancers that keep the client's address have to know where endpoints are.
std::uint16_t port_of(const cache::ServiceState& state) {
  if (!state.service || state.service->type != kube::ServiceType::LoadBalancer ||
      !state.service->traffic || state.service->traffic->has_other_proxy ||
      state.service->traffic->external_policy != kube::TrafficPolicy::Local) {
    return 0;
  }
  return state.service->traffic->health_check_node_port;
}

}  // namespace

std::size_t count_local_endpoints(const cache::ServiceState& state, std::string_view node_name) {
  std::set<IpAddress> v4;
  std::set<IpAddress> v6;
  for (const cache::SlicePointer& slice : state.slices) {
    const bool has_port = std::any_of(slice->ports.begin(), slice->ports.end(),
                                      [](const auto& port) { return port.port != 0; });
    for (std::size_t i = 0; slice->traffic && has_port && i < slice->endpoints.size(); ++i) {
      const kube::Endpoint& endpoint = slice->endpoints[i];
      const kube::Placements& placements = slice->traffic->placements;
      if (endpoint.ready && !placements.is_further(i) && placements.node(i) == node_name) {
        (endpoint.address.is_v4() ? v4 : v6).insert(endpoint.address);
      }
    }
  }
  return std::max(v4.size(), v6.size());
}

HealthCheckPorts::HealthCheckPorts(boost::asio::io_context& context, cache::ServiceCache& cache,
                                   std::string node_name, std::function<bool()> is_healthy,
                                   std::chrono::milliseconds retry)
    : context_(context),
      cache_(cache),
      node_name_(std::move(node_name)),
      is_healthy_(std::move(is_healthy)),
      retry_(retry),
      retry_timer_(context) {
  cache_.subscribe(*this);
}

HealthCheckPorts::~HealthCheckPorts() {
  cache_.unsubscribe(*this);
}

std::size_t HealthCheckPorts::unserved() const noexcept {
  return waiting_.size() +
         static_cast<std::size_t>(std::count_if(ports_.begin(), ports_.end(), [](const auto& port) {
           return port.second->server == nullptr;
         }));
}

void HealthCheckPorts::on_service(const cache::ServiceDelta& delta) {
  const std::uint16_t before = port_of(delta.before);
  const std::uint16_t after = port_of(delta.after);
  if (before != 0 && before != after) {
    release(before, delta.key);
  }
  if (after != 0) {
    take(after, delta.key, delta.after);
  }
}

void HealthCheckPorts::take(std::uint16_t number, const kube::ObjectKey& key,
                            const cache::ServiceState& state) {
  std::unique_ptr<Port>& port = ports_[number];
  if (port == nullptr) {
    port = std::make_unique<Port>();
    port->service = key;
    open(*port, number);
  } else if (port->service != key) {
    if (waiting_.emplace(key, number).second) {
      log::warn("Service {}: its health-check port {} is already that of {}", key.to_text(), number,
                port->service.to_text());
    }
    return;
  }
  port->local_endpoints = count_local_endpoints(state, node_name_);
}

// Who has waited for the port gets it.
void HealthCheckPorts::release(std::uint16_t number, const kube::ObjectKey& key) {
  waiting_.erase(key);
  const auto at = ports_.find(number);
  if (at == ports_.end() || at->second->service != key) {
    return;
  }
  ports_.erase(at);
  const auto next = std::find_if(waiting_.begin(), waiting_.end(),
                                 [&](const auto& one) { return one.second == number; });
  if (next == waiting_.end()) {
    return;
  }
  const kube::ObjectKey heir = next->first;
  waiting_.erase(next);
  if (const auto state = cache_.find(heir)) {
    take(number, heir, *state);
  }
}

// A port that cannot be had is told and costs only its own Service.
void HealthCheckPorts::open(Port& port, std::uint16_t number) {
  auto server = std::make_unique<HttpServer>(context_);
  const auto answer = [this, &port] { return reply(port); };
  server->serve({IpAddress::v4(0, 0, 0, 0), number}, std::string(AnyPath), answer);
  if (has_ipv6()) {
    server->serve({IpAddress(), number}, std::string(AnyPath), answer);
  }
  if (const Result<void> opened = server->open(); opened) {
    port.server = std::move(server);
    if (std::exchange(port.has_failed, false)) {
      log::info("Service {}: health-check port {} is open", port.service.to_text(), number);
    }
  } else {
    if (!std::exchange(port.has_failed, true)) {
      log::error("Service {}: health-check port: {}; trying again until it can be had",
                 port.service.to_text(), opened.error().message);
    }
    retry_later();
  }
}

void HealthCheckPorts::retry_later() {
  if (std::exchange(is_retrying_, true)) {
    return;
  }
  retry_timer_.expires_after(retry_);
  retry_timer_.async_wait([this](const boost::system::error_code& ec) {
    if (ec) {
      return;  // This object is gone.
    }
    is_retrying_ = false;
    for (const auto& [number, port] : ports_) {
      if (port->server == nullptr) {
        open(*port, number);
      }
    }
  });
}

// The body and the header are kube-proxy's.
HttpReply HealthCheckPorts::reply(const Port& port) const {
  const bool is_healthy = is_healthy_();
  HttpReply reply;
  reply.status = is_healthy && port.local_endpoints != 0 ? 200 : 503;
  reply.content_type = "application/json";
  reply.headers = {{"X-Content-Type-Options", "nosniff"},
                   {"X-Load-Balancing-Endpoint-Weight", std::to_string(port.local_endpoints)}};
  reply.body = fmt::format(
      "{{\n\t\"service\": {{\n\t\t\"namespace\": \"{}\",\n\t\t\"name\": \"{}\"\n\t}},\n"
      "\t\"localEndpoints\": {},\n\t\"serviceProxyHealthy\": {}\n}}",
      port.service.name_space, port.service.name, port.local_endpoints, is_healthy);
  return reply;
}

}  // namespace waypost::ops
