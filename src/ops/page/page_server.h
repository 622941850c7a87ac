// Serves a program's status page beside its metrics: who may see it, how often it is made, and what
// every page has around it.
//
// Pages are made on the control thread when somebody asks, from what the parts of the program know
// anyway, each list in them with a bound.  No query waits for one.
//
// Not here: what a page says (ops/page/dns_page.h, ops/page/node_page.h), HTTP.

#pragma once

#include "base/ip_address.h"
#include "base/timer.h"
#include "ops/http_server.h"
#include "ops/page/html.h"
#include "ops/page/page_query.h"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace waypost::ops {

enum class PageAccess : std::uint8_t {
  Off,
  // Clients on the loopback address, as those of `kubectl port-forward` are, that ask for it by an
  // address or as "localhost": a web page elsewhere cannot have a browser fetch it by a name that
  // it has lead here.
  Local,
  Open,  // Everybody who reaches the port.
};

// "off", "local", "open".
std::optional<PageAccess> page_access_from_text(std::string_view text) noexcept;

struct PageContent {
  std::string title;  // Of this page; the program's name is put in front.
  Html html;
  unsigned status = 200;
};

// Called on the control thread.
using MakePage = std::function<boost::asio::awaitable<PageContent>(const PageQuery& query)>;

// Control thread only.
class PageServer {
 public:
  // So many pages can be had at once, and so many in a second after that; who asks for more is told
  // 429.
  static constexpr double Burst = 20;
  static constexpr double PerSecond = 10;

  // `program` is what all titles begin with.
  PageServer(std::string program, PageAccess access);

  // Serves "/" with `overview`, "/services" and "/service", and what these need, on `address`.
  // Nothing when the page is off.  Before HttpServer::open().
  struct Pages {
    MakePage overview;
    MakePage services;
    MakePage service;
  };
  void serve(HttpServer& http, const SocketAddress& address, const Pages& pages);

 private:
  struct State;
  std::shared_ptr<State> state_;  // Shared with the handlers.
};

// Why `request` is not answered with a page; nothing when it is.
std::optional<HttpReply> refuse_page(PageAccess access, const HttpRequest& request);

// Makes no more pages than a rate admits.
class PageRate {
 public:
  PageRate(double burst, double per_second) noexcept
      : burst_(burst), per_second_(per_second), left_(burst) {}
  bool admits(SteadyTime now) noexcept;

 private:
  double burst_;
  double per_second_;
  double left_;
  std::optional<SteadyTime> last_;
};

}  // namespace waypost::ops
