// Servers on the health-check ports of Services: they tell a load balancer whether this node has
// endpoints of the Service (KEP-1364 and kube-proxy's proxy/healthcheck).
//
// What they say depends on the world and on whether rules are kept up to date, not on the success
// of the last change.

#pragma once

#include "cache/service_cache.h"
#include "ops/http_server.h"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace waypost::ops {

// Control thread only.
class HealthCheckPorts final : public cache::Consumer {
 public:
  // `context` and `cache` are borrowed and outlive this object; so does what `is_healthy` refers
  // to.
  HealthCheckPorts(boost::asio::io_context& context, cache::ServiceCache& cache,
                   std::string node_name, std::function<bool()> is_healthy);
  ~HealthCheckPorts() override;
  HealthCheckPorts(const HealthCheckPorts&) = delete;
  HealthCheckPorts& operator=(const HealthCheckPorts&) = delete;

  void on_service(const cache::ServiceDelta& delta) override;
  void on_namespace(const cache::ObjectDelta<kube::Namespace>& /*delta*/) override {}
  void on_pod(const cache::ObjectDelta<kube::Pod>& /*delta*/) override {}
  void on_synced() override {}
  void on_resource_version(std::uint64_t /*version*/) override {}

 private:
  struct Port {
    kube::ObjectKey service;
    std::size_t local_endpoints = 0;
    std::unique_ptr<HttpServer> server;
  };

  HttpReply reply(const Port& port) const;
  void open(Port& port, std::uint16_t number);

  boost::asio::io_context& context_;
  cache::ServiceCache& cache_;
  const std::string node_name_;
  const std::function<bool()> is_healthy_;
  std::map<std::uint16_t, std::unique_ptr<Port>> ports_;  // At stable places.
};

// How many addresses on this node are ready for the Service, of both families, each once: endpoints
// that are not ready or end do not count.
std::size_t count_local_endpoints(const cache::ServiceState& state, std::string_view node_name);

}  // namespace waypost::ops
