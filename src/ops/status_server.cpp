#include "ops/status_server.h"

#include "ops/metric_collectors.h"

namespace waypost::ops {

StatusServer::StatusServer(boost::asio::io_context& context, const StatusListen& listen)
    : listen_(listen), pages_("waypost-dns", listen.page), http_(context) {
  for (const SocketAddress& address : listen.health) {
    http_.serve(address, "/health", health_reply);
  }
  for (const SocketAddress& address : listen.ready) {
    for (const char* const path : {"/ready", "/readiness"}) {
      http_.serve(address, path, [this] { return readiness_.reply(); });
    }
  }
  for (const SocketAddress& address : listen.metrics) {
    http_.serve(address, "/metrics", [this] {
      return HttpReply{.content_type = std::string(Metrics::ContentType), .body = metrics_.text()};
    });
  }
  for (const SocketAddress& address : listen.control) {
    http_.act(address, "/flush",
              [this](std::string_view query) { return flush_reply(query, flush_); });
  }
  metrics_.add(collect_build);
  metrics_.add([](Scrape& scrape) { collect_process(scrape, read_process_status()); });
  metrics_.add([this](Scrape& scrape) { collect_http(scrape, http_.counters()); });
}

void StatusServer::show(const PageServer::Pages& pages) {
  for (const SocketAddress& address : listen_.metrics) {
    pages_.serve(http_, address, pages);
  }
}

std::vector<std::string> StatusServer::places() const {
  std::vector<std::string> lines;
  for (const HttpPlace& place : http_.places()) {
    lines.push_back(place.path.substr(1) + " on http://" + place.address.to_text() + place.path);
    if (place.path == "/metrics" && listen_.page != PageAccess::Off) {
      lines.push_back("status page on http://" + place.address.to_text() + "/");
    }
  }
  return lines;
}

}  // namespace waypost::ops
