// The ports that probes and scrapes look at: /health, /ready and /metrics, each where it is asked
// for.
//
// Other parts say what has to hold before the program is ready, and add what they count.

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "ops/http_server.h"
#include "ops/metrics.h"
#include "ops/probes.h"

#include <boost/asio/io_context.hpp>

#include <string>
#include <vector>

namespace waypost::ops {

// Where each path is served; nowhere when its list is empty.  Lists may share addresses.
struct StatusListen {
  std::vector<SocketAddress> health;
  std::vector<SocketAddress> ready;
  std::vector<SocketAddress> metrics;
};

// Control thread only.
class StatusServer {
 public:
  // `context` is borrowed and outlives this object.
  StatusServer(boost::asio::io_context& context, const StatusListen& listen);

  Readiness& readiness() noexcept { return readiness_; }
  // Has what the process and this server count already.
  Metrics& metrics() noexcept { return metrics_; }

  // As HttpServer::open().
  Result<void> open() { return http_.open(); }

  // A line for each place: "metrics on http://127.0.0.1:9153/metrics".
  std::vector<std::string> places() const;

 private:
  Readiness readiness_;
  Metrics metrics_;
  HttpServer http_;  // After what its handlers use.
};

}  // namespace waypost::ops
