// The ports that probes and scrapes look at, /health, /ready and /metrics with the status page
// beside it, and that of an operator's requests, /flush: each where it is asked for.
//
// Other parts say what has to hold before the program is ready, and add what they count.

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "ops/control.h"
#include "ops/http_server.h"
#include "ops/metrics.h"
#include "ops/page/page_server.h"
#include "ops/probes.h"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace waypost::ops {

// Where each path is served; nowhere when its list is empty.  Lists may share addresses.
struct StatusListen {
  std::vector<SocketAddress> health;
  std::vector<SocketAddress> ready;
  std::vector<SocketAddress> metrics;
  std::vector<SocketAddress> control;
  PageAccess page = PageAccess::Local;  // Where metrics are.
  bool tops = true;                     // Names and clients on the page.

  bool has_tops() const noexcept { return tops && page != PageAccess::Off && !metrics.empty(); }
};

// Control thread only.
class StatusServer {
 public:
  // `context` is borrowed and outlives this object.
  StatusServer(boost::asio::io_context& context, const StatusListen& listen);

  Readiness& readiness() noexcept { return readiness_; }
  const Readiness& readiness() const noexcept { return readiness_; }
  // Has what the process and this server count already.
  Metrics& metrics() noexcept { return metrics_; }

  // What /flush does; before then it is refused.
  void set_flush(FlushCache flush) { flush_ = std::move(flush); }

  // Serves these pages beside metrics, to whom StatusListen::page says.  Before open().
  void show(const PageServer::Pages& pages);

  // As HttpServer::open().
  Result<void> open(server::Inheritance* inheritance = nullptr) { return http_.open(inheritance); }
  // As HttpServer's.
  std::vector<int> sockets() const { return http_.sockets(); }
  void stop_listening() { http_.stop_listening(); }

  // A line for each place: "metrics on http://127.0.0.1:9153/metrics".
  std::vector<std::string> places() const;

 private:
  Readiness readiness_;
  Metrics metrics_;
  FlushCache flush_ = [](const dns::NameKey&, bool) { return std::optional<std::size_t>(); };
  const StatusListen listen_;
  PageServer pages_;
  HttpServer http_;  // After what its handlers use.
};

}  // namespace waypost::ops
