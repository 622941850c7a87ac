// Servers on the health-check ports of Services: they tell a load balancer whether this node has
// endpoints of the Service (KEP-1364 and kube-proxy's proxy/healthcheck).
//
// What they say depends on the world and on whether rules are kept up to date, not on the success
// of the last change.  A port that cannot be had, as when the process before this one still ends,
// is asked for again until it can; its Service has rules all the same.

#pragma once

#include "cache/service_cache.h"
#include "ops/http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
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
                   std::string node_name, std::function<bool()> is_healthy,
                   std::chrono::milliseconds retry = std::chrono::seconds(1));
  ~HealthCheckPorts() override;
  HealthCheckPorts(const HealthCheckPorts&) = delete;
  HealthCheckPorts& operator=(const HealthCheckPorts&) = delete;

  // Services whose port cannot be had: another program has it, or another Service.
  std::size_t unserved() const noexcept;

  void on_service(const cache::ServiceDelta& delta) override;
  void on_namespace(const cache::ObjectDelta<kube::Namespace>& /*delta*/) override {}
  void on_pod(const cache::ObjectDelta<kube::Pod>& /*delta*/) override {}
  void on_synced() override {}
  void on_resource_version(std::uint64_t /*version*/) override {}

 private:
  struct Port {
    kube::ObjectKey service;
    std::size_t local_endpoints = 0;
    std::unique_ptr<HttpServer> server;  // Null: the port cannot be had.
    bool has_failed = false;             // Which was told.
  };

  HttpReply reply(const Port& port) const;
  void take(std::uint16_t number, const kube::ObjectKey& key, const cache::ServiceState& state);
  void release(std::uint16_t number, const kube::ObjectKey& key);
  void open(Port& port, std::uint16_t number);
  void retry_later();

  boost::asio::io_context& context_;
  cache::ServiceCache& cache_;
  const std::string node_name_;
  const std::function<bool()> is_healthy_;
  const std::chrono::milliseconds retry_;
  std::map<std::uint16_t, std::unique_ptr<Port>> ports_;  // At stable places.
  // Services that want a port which is another's, by key.
  std::map<kube::ObjectKey, std::uint16_t> waiting_;
  boost::asio::steady_timer retry_timer_;
  bool is_retrying_ = false;
};

// How many endpoints on this node are ready for the Service: addresses of the family that has more
// of them, since a Pod with one of each is one endpoint.  Those that only serve while they end do
// not count.
std::size_t count_local_endpoints(const cache::ServiceState& state, std::string_view node_name);

}  // namespace waypost::ops
