#include "ops/page/page_server.h"

#include "ops/page/page_files.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;

// What else comes from here is of this page; nothing comes from elsewhere, nothing goes there.
constexpr std::string_view ContentPolicy =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

HttpReply reply_of(std::string content_type, std::string body, unsigned status = 200) {
  return {.status = status,
          .content_type = std::move(content_type),
          .body = std::move(body),
          .headers = {{"Content-Security-Policy", std::string(ContentPolicy)},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cross-Origin-Resource-Policy", "same-origin"}}};
}

HttpReply refusal(unsigned status, std::string why) {
  return {.status = status, .body = std::move(why) + "\n"};
}

// Without the port.
std::string_view host_of(std::string_view field) noexcept {
  if (field.starts_with('[')) {
    return field.substr(1, std::min(field.find(']'), field.size()) - 1);
  }
  return field.substr(0, field.find(':'));
}

}  // namespace

std::optional<PageAccess> page_access_from_text(std::string_view text) noexcept {
  if (text == "off") {
    return PageAccess::Off;
  }
  if (text == "local") {
    return PageAccess::Local;
  }
  if (text == "open") {
    return PageAccess::Open;
  }
  return std::nullopt;
}

std::optional<HttpReply> refuse_page(PageAccess access, const HttpRequest& request) {
  if (access == PageAccess::Open) {
    return std::nullopt;
  }
  if (!request.client.is_loopback()) {
    return refusal(403,
                   "the status page is shown on the loopback address only: use kubectl "
                   "port-forward, or statusPage: open");
  }
  const std::string_view host = host_of(request.host);
  if (host != "localhost" && !IpAddress::from_text(host)) {
    return refusal(403,
                   "the status page is not shown under this name: use 127.0.0.1 or localhost, or "
                   "statusPage: open");
  }
  return std::nullopt;
}

bool PageRate::admits(SteadyTime now) noexcept {
  if (last_) {
    left_ =
        std::min(burst_, left_ + per_second_ * std::chrono::duration<double>(now - *last_).count());
  }
  last_ = now;
  if (left_ < 1) {
    return false;
  }
  left_ -= 1;
  return true;
}

struct PageServer::State {
  std::string program;
  PageAccess access;
  PageRate rate{Burst, PerSecond};
};

PageServer::PageServer(std::string program, PageAccess access)
    : state_(std::make_shared<State>(State{std::move(program), access})) {}

void PageServer::serve(HttpServer& http, const SocketAddress& address, const Pages& pages) {
  if (state_->access == PageAccess::Off) {
    return;
  }
  const auto page = [state = state_](const HttpRequest& request,
                                     const MakePage& make) -> asio::awaitable<HttpReply> {
    if (auto refused = refuse_page(state->access, request)) {
      co_return std::move(*refused);
    }
    if (!state->rate.admits(std::chrono::steady_clock::now())) {
      HttpReply late = refusal(429, "too many pages were asked for; try again in a second");
      late.headers.emplace_back("Retry-After", "1");
      co_return late;
    }
    const PageQuery query(request.query);
    const PageContent content = co_await make(query);
    const Html whole = fill("frame.html", {{"title", escaped(content.title)},
                                           {"program", escaped(state->program)},
                                           {"version", escaped(WAYPOST_VERSION)},
                                           {"content", content.html}});
    co_return reply_of("text/html; charset=utf-8", whole.to_text(), content.status);
  };
  const auto show = [&](const char* path, const MakePage& make) {
    http.show(address, path,
              [page, make](const HttpRequest& request) { return page(request, make); });
  };
  show("/", pages.overview);
  show("/services", pages.services);
  show("/service", pages.service);
  for (const auto& [path, type] : {std::pair{"status.css", "text/css; charset=utf-8"},
                                   std::pair{"status.js", "text/javascript; charset=utf-8"}}) {
    http.show(address, "/" + std::string(path),
              [state = state_, name = std::string(path), content_type = std::string(type)](
                  const HttpRequest& request) -> asio::awaitable<HttpReply> {
                if (auto refused = refuse_page(state->access, request)) {
                  co_return std::move(*refused);
                }
                co_return reply_of(content_type, std::string(page_file(name)));
              });
  }
}

}  // namespace waypost::ops
