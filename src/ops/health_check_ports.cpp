#include "ops/health_check_ports.h"

#include "base/log.h"
#include "ops/node_facts.h"

#include <spdlog/fmt/fmt.h>

#include <set>
#include <utility>

namespace waypost::ops {
namespace {

std::uint16_t port_of(const cache::ServiceState& state) {
  if (!state.service || !state.service->traffic || state.service->traffic->has_other_proxy) {
    return 0;
  }
  return state.service->traffic->health_check_node_port;
}

}  // namespace

std::size_t count_local_endpoints(const cache::ServiceState& state, std::string_view node_name) {
  std::set<IpAddress> addresses;
  for (const cache::SlicePointer& slice : state.slices) {
    for (std::size_t i = 0; slice->traffic && i < slice->endpoints.size(); ++i) {
      const kube::Endpoint& endpoint = slice->endpoints[i];
      const kube::Placements& placements = slice->traffic->placements;
      if (endpoint.ready && !endpoint.terminating && !placements.is_further(i) &&
          placements.node(i) == node_name) {
        addresses.insert(endpoint.address);
      }
    }
  }
  return addresses.size();
}

HealthCheckPorts::HealthCheckPorts(boost::asio::io_context& context, cache::ServiceCache& cache,
                                   std::string node_name, std::function<bool()> is_healthy)
    : context_(context),
      cache_(cache),
      node_name_(std::move(node_name)),
      is_healthy_(std::move(is_healthy)) {
  cache_.subscribe(*this);
}

HealthCheckPorts::~HealthCheckPorts() {
  cache_.unsubscribe(*this);
}

void HealthCheckPorts::on_service(const cache::ServiceDelta& delta) {
  const std::uint16_t before = port_of(delta.before);
  const std::uint16_t after = port_of(delta.after);
  if (before != 0 && before != after) {
    const auto at = ports_.find(before);
    if (at != ports_.end() && at->second->service == delta.key) {
      ports_.erase(at);
    }
  }
  if (after == 0) {
    return;
  }
  std::unique_ptr<Port>& port = ports_[after];
  if (port != nullptr && port->service != delta.key) {
    log::warn("Service {}: its health-check port {} is already that of {}", delta.key.to_text(),
              after, port->service.to_text());
    return;
  }
  if (port == nullptr) {
    port = std::make_unique<Port>();
    port->service = delta.key;
    open(*port, after);
  }
  port->local_endpoints = count_local_endpoints(delta.after, node_name_);
}

// A port that cannot be had is told and costs only its own Service.
void HealthCheckPorts::open(Port& port, std::uint16_t number) {
  port.server = std::make_unique<HttpServer>(context_);
  for (const char* path : {"/", "/healthz"}) {
    port.server->serve({IpAddress::v4(0, 0, 0, 0), number}, path,
                       [this, &port] { return reply(port); });
    if (has_ipv6()) {
      port.server->serve({IpAddress(), number}, path, [this, &port] { return reply(port); });
    }
  }
  if (const Result<void> opened = port.server->open(); !opened) {
    log::error("Service {}: health-check port: {}", port.service.to_text(), opened.error().message);
  }
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
