#include "ops/http_server.h"

#include "base/owned_fd.h"
#include "server/socket.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

// Errors are values: nothing here throws into the context.
constexpr auto UseAwaitable = asio::as_tuple(asio::use_awaitable);

using Request = http::request_parser<http::empty_body>;
using Response = http::response<http::string_body>;

HttpReply plain(unsigned status, std::string body) {
  return {.status = status, .body = std::move(body)};
}

// After accept() failed for want of descriptors or memory, trying at once would only spin.
constexpr std::chrono::milliseconds AcceptPause{100};

}  // namespace

// One address: its socket, its paths, its sessions.
struct HttpServer::Listener {
  SocketAddress asked;
  SocketAddress address;
  std::vector<std::pair<std::string, HttpHandler>> paths;
  std::vector<std::pair<std::string, HttpPage>> pages;
  std::vector<std::pair<std::string, HttpAction>> actions;
  std::optional<tcp::acceptor> acceptor;
  std::size_t sessions = 0;
};

struct HttpServer::State : std::enable_shared_from_this<State> {
  State(asio::io_context& of, HttpLimits with) : context(of), limits(with) {}

  void drop_dispensable();
  asio::awaitable<void> accept(Listener& listener);
  asio::awaitable<void> converse(Listener& listener, tcp::socket socket);
  asio::awaitable<Response> respond(const Listener& listener, const Request::value_type& request,
                                    IpAddress client);
  Response refuse_method(std::string_view allowed, unsigned version);
  Response respond_to_error(const beast::error_code& ec);
  Response make_response(HttpReply reply, unsigned version);

  asio::io_context& context;
  const HttpLimits limits;
  std::vector<std::unique_ptr<Listener>> listeners;  // At stable places.
  std::vector<std::pair<Listener*, std::string>> order;
  HttpCounters counters;
  bool accepts = true;
  bool is_closed = false;
};

HttpServer::HttpServer(asio::io_context& context, HttpLimits limits)
    : state_(std::make_shared<State>(context, limits)) {}

HttpServer::~HttpServer() {
  state_->is_closed = true;
  for (const auto& listener : state_->listeners) {
    listener->acceptor.reset();
    listener->paths.clear();
    listener->pages.clear();
    listener->actions.clear();
  }
}

HttpServer::Listener& HttpServer::listener_at(const SocketAddress& address) {
  auto& listeners = state_->listeners;
  auto at = std::find_if(listeners.begin(), listeners.end(),
                         [&](const auto& listener) { return listener->asked == address; });
  if (at == listeners.end()) {
    listeners.push_back(std::make_unique<Listener>());
    at = std::prev(listeners.end());
    (*at)->asked = address;
  }
  return **at;
}

void HttpServer::serve(const SocketAddress& address, std::string path, HttpHandler handler) {
  Listener& listener = listener_at(address);
  state_->order.emplace_back(&listener, path);
  listener.paths.emplace_back(std::move(path), std::move(handler));
}

void HttpServer::show(const SocketAddress& address, std::string path, HttpPage page) {
  listener_at(address).pages.emplace_back(std::move(path), std::move(page));
}

void HttpServer::act(const SocketAddress& address, std::string path, HttpAction action) {
  Listener& listener = listener_at(address);
  state_->order.emplace_back(&listener, path);
  listener.actions.emplace_back(std::move(path), std::move(action));
}

// Takes the listeners away that a kernel without IPv6 cannot have and that there are others for.
void HttpServer::State::drop_dispensable() {
  std::vector<SocketAddress> asked;
  asked.reserve(listeners.size());
  for (const auto& listener : listeners) {
    asked.push_back(listener->asked);
  }
  std::erase_if(
      order, [&](const auto& place) { return server::is_dispensable(place.first->asked, asked); });
  std::erase_if(listeners, [&](const auto& listener) {
    return server::is_dispensable(listener->asked, asked);
  });
}

Result<void> HttpServer::open(server::Inheritance* inheritance) {
  if (!server::has_ipv6()) {
    state_->drop_dispensable();
  }
  for (const auto& listener : state_->listeners) {
    server::InheritedSockets inherited;
    if (inheritance != nullptr) {
      inherited = inheritance->take(listener->asked);
    }
    auto acceptor =
        inherited.tcp.empty()
            ? server::open_tcp(state_->context, listener->asked, server::Claim::Alone)
            : server::adopt_tcp(state_->context, inherited.address, std::move(inherited.tcp[0]));
    if (!acceptor) {
      return std::unexpected(acceptor.error());
    }
    listener->acceptor.emplace(std::move(*acceptor));
    boost::system::error_code ec;
    listener->address = listener->asked;
    listener->address.port = listener->acceptor->local_endpoint(ec).port();
    if (ec) {
      return failure(ErrorKind::System, listener->asked.to_text() + ": " + ec.message());
    }
  }
  for (const auto& listener : state_->listeners) {
    // The coroutine's frame keeps the state.
    asio::co_spawn(
        state_->context, [state = state_, each = listener.get()] { return state->accept(*each); },
        asio::detached);
  }
  return {};
}

std::vector<int> HttpServer::sockets() const {
  std::vector<int> sockets;
  for (const auto& listener : state_->listeners) {
    sockets.push_back(listener->acceptor->native_handle());
  }
  return sockets;
}

void HttpServer::stop_listening() {
  state_->accepts = false;
  for (const auto& listener : state_->listeners) {
    // Closing alone would leave the socket in this process' epoll set, because another has it, too.
    boost::system::error_code error;
    const OwnedFd socket(listener->acceptor->release(error));
  }
}

std::vector<HttpPlace> HttpServer::places() const {
  std::vector<HttpPlace> places;
  for (const auto& [listener, path] : state_->order) {
    places.push_back({listener->address, path});
  }
  return places;
}

const HttpCounters& HttpServer::counters() const noexcept {
  return state_->counters;
}

//------------------------------------------------------------------ sessions

asio::awaitable<void> HttpServer::State::accept(Listener& listener) {
  const auto keep = shared_from_this();
  asio::steady_timer pause(context);
  while (!is_closed && accepts) {
    auto [ec, socket] = co_await listener.acceptor->async_accept(UseAwaitable);
    if (is_closed || (ec && !accepts)) {
      co_return;
    }
    if (ec) {
      pause.expires_after(AcceptPause);
      co_await pause.async_wait(UseAwaitable);
    } else if (listener.sessions == limits.connections) {
      ++counters.refused;
      socket.close(ec);
    } else {
      ++listener.sessions;
      asio::co_spawn(
          context,
          [this, keep, &listener, taken = std::move(socket)]() mutable {
            return converse(listener, std::move(taken));
          },
          [keep, &listener](const std::exception_ptr&) { --listener.sessions; });
    }
  }
}

asio::awaitable<void> HttpServer::State::converse(Listener& listener, tcp::socket socket) {
  const auto keep = shared_from_this();
  beast::error_code gone;
  const auto peer = socket.remote_endpoint(gone);
  const auto client = IpAddress::from_text(gone ? "::" : peer.address().to_string());
  beast::tcp_stream stream(std::move(socket));
  // Room for one head, and for what a client has sent after it.
  beast::flat_buffer buffer(2 * limits.head_octets);
  for (bool goes_on = true; goes_on;) {
    Request parser;
    parser.header_limit(static_cast<std::uint32_t>(limits.head_octets));
    stream.expires_after(limits.timeout);
    const auto [read_error, read] =
        co_await http::async_read_header(stream, buffer, parser, UseAwaitable);
    if (is_closed || read_error == http::error::end_of_stream) {
      break;
    }
    if (read_error == beast::error::timeout) {
      ++counters.timeouts;
      break;
    }
    if (read_error && read_error.category() != http::make_error_code(http::error{}).category()) {
      break;  // The connection broke.
    }
    stream.expires_never();  // The reply may take as long as it takes; the writing may not.
    Response response;
    if (read_error) {
      response = respond_to_error(read_error);
    } else {
      response = co_await respond(listener, parser.get(), client.value_or(IpAddress()));
    }
    if (is_closed) {
      break;
    }
    // What follows a head with a body would be taken for the next request.
    goes_on = !read_error && parser.get().keep_alive() && parser.is_done();
    response.keep_alive(goes_on);

    stream.expires_after(limits.timeout);
    http::response_serializer<http::string_body> serializer(response);
    const bool is_head = !read_error && parser.get().method() == http::verb::head;
    const auto [write_error, written] =
        is_head ? co_await http::async_write_header(stream, serializer, UseAwaitable)
                : co_await http::async_write(stream, serializer, UseAwaitable);
    if (write_error == beast::error::timeout) {
      ++counters.timeouts;
    }
    goes_on = goes_on && !write_error;
  }
  beast::error_code ignored;
  stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
}

asio::awaitable<Response> HttpServer::State::respond(const Listener& listener,
                                                     const Request::value_type& request,
                                                     IpAddress client) {
  const std::string_view target(request.target().data(), request.target().size());
  const std::size_t mark = std::min(target.find('?'), target.size());
  const std::string_view path = target.substr(0, mark);
  const auto action = std::find_if(listener.actions.begin(), listener.actions.end(),
                                   [path](const auto& each) { return each.first == path; });
  if (action != listener.actions.end()) {
    if (request.method() != http::verb::post) {
      co_return refuse_method("POST", request.version());
    }
    co_return make_response(action->second(target.substr(std::min(mark + 1, target.size()))),
                            request.version());
  }
  const bool is_get = request.method() == http::verb::get || request.method() == http::verb::head;
  const auto shown = std::find_if(listener.pages.begin(), listener.pages.end(),
                                  [path](const auto& each) { return each.first == path; });
  if (shown != listener.pages.end()) {
    if (!is_get) {
      co_return refuse_method("GET, HEAD", request.version());
    }
    const HttpPage page = shown->second;  // Outlives this server, should that go meanwhile.
    const auto host = request[http::field::host];
    const HttpRequest asked{.client = client,
                            .host = std::string(host.data(), host.size()),
                            .query = std::string(target.substr(std::min(mark + 1, target.size())))};
    const unsigned version = request.version();
    HttpReply reply = co_await page(asked);
    co_return make_response(std::move(reply), version);
  }
  const auto found =
      std::find_if(listener.paths.begin(), listener.paths.end(),
                   [&](const auto& each) { return each.first == path || each.first == AnyPath; });
  if (found == listener.paths.end()) {
    co_return make_response(plain(404, "no such path\n"), request.version());
  }
  if (!is_get) {
    co_return refuse_method("GET, HEAD", request.version());
  }
  co_return make_response(found->second(), request.version());
}

Response HttpServer::State::refuse_method(std::string_view allowed, unsigned version) {
  const bool is_post = allowed == "POST";
  Response response =
      make_response(plain(405, is_post ? "POST only\n" : "GET and HEAD only\n"), version);
  response.set(http::field::allow, beast::string_view(allowed.data(), allowed.size()));
  return response;
}

Response HttpServer::State::respond_to_error(const beast::error_code& ec) {
  const bool is_large = ec == http::error::header_limit || ec == http::error::buffer_overflow;
  return make_response(is_large ? plain(431, "the request's head is too large\n")
                                : plain(400, "not a request of HTTP/1.1\n"),
                       11);
}

Response HttpServer::State::make_response(HttpReply reply, unsigned version) {
  ++counters.replies[reply.status];
  Response response(static_cast<http::status>(reply.status), version);
  response.set(http::field::content_type, reply.content_type);
  response.set(http::field::cache_control, "no-store");
  for (const auto& [name, value] : reply.headers) {
    response.set(name, value);
  }
  response.body() = std::move(reply.body);
  response.prepare_payload();
  return response;
}

}  // namespace waypost::ops
