#include "support/scripted_server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <array>
#include <exception>
#include <set>
#include <stdexcept>
#include <utility>

namespace waypost::test {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;

using Socket = asio::generic::stream_protocol::socket;
using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

constexpr auto Await = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t MaxRequest = std::size_t{64} << 10;

std::shared_ptr<ssl::context> make_context(const ServerTls& tls) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  context->use_certificate_chain(asio::buffer(tls.certificate.certificate));
  context->use_private_key(asio::buffer(tls.certificate.key), ssl::context::pem);
  if (!tls.client_authority.empty()) {
    context->add_certificate_authority(asio::buffer(tls.client_authority));
    context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
  }
  if (tls.only_old_versions) {
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context->native_handle(), TLS1_1_VERSION);
    SSL_CTX_set_security_level(context->native_handle(), 0);
  }
  return context;
}

struct Connection : std::enable_shared_from_this<Connection> {
  explicit Connection(Socket the_socket) : socket(std::move(the_socket)) {}

  Socket& lowest() { return tls ? tls->next_layer() : socket; }
  void close() {
    error_code ignored;
    lowest().close(ignored);
  }

  Socket socket;  // Moved into `tls` when there is TLS.
  std::shared_ptr<ssl::context> context;
  std::optional<ssl::stream<Socket>> tls;
};

}  // namespace

struct ScriptedServer::State : std::enable_shared_from_this<State> {
  State(asio::io_context& context, Respond the_respond)
      : acceptor(context), respond(std::move(the_respond)) {}

  void listen(const asio::generic::stream_protocol::endpoint& endpoint) {
    acceptor.open(endpoint.protocol());
    acceptor.bind(endpoint);
    acceptor.listen();
    asio::co_spawn(acceptor.get_executor(), accept(shared_from_this()),
                   [](const std::exception_ptr&) {});
  }

  static asio::awaitable<void> accept(std::shared_ptr<State> self);
  static asio::awaitable<void> serve(std::shared_ptr<State> self,
                                     std::shared_ptr<Connection> connection);
  template <typename Stream>
  static asio::awaitable<void> converse(std::shared_ptr<State> self, Connection& connection,
                                        Stream& stream);
  // Returns false when the connection is over.
  template <typename Stream>
  static asio::awaitable<bool> perform(const Step& step, Connection& connection, Stream& stream);

  Acceptor acceptor;
  Respond respond;
  std::optional<ServerTls> tls;
  std::string url;
  std::uint16_t port = 0;
  std::vector<std::string> requests;
  std::set<std::shared_ptr<Connection>> open;
  std::size_t accepted = 0;
};

asio::awaitable<void> ScriptedServer::State::accept(std::shared_ptr<State> self) {
  while (true) {
    auto [code, socket] = co_await self->acceptor.async_accept(Await);
    if (code) {
      co_return;
    }
    ++self->accepted;
    const auto connection = std::make_shared<Connection>(std::move(socket));
    self->open.insert(connection);
    asio::co_spawn(self->acceptor.get_executor(), serve(self, connection),
                   [self, connection](const std::exception_ptr&) {
                     connection->close();
                     self->open.erase(connection);
                   });
  }
}

asio::awaitable<void> ScriptedServer::State::serve(std::shared_ptr<State> self,
                                                   std::shared_ptr<Connection> connection) {
  if (!self->tls) {
    co_await converse(self, *connection, connection->socket);
    co_return;
  }
  connection->context = make_context(*self->tls);
  connection->tls.emplace(std::move(connection->socket), *connection->context);
  const auto [code] = co_await connection->tls->async_handshake(ssl::stream_base::server, Await);
  if (!code) {
    co_await converse(self, *connection, *connection->tls);
  }
}

template <typename Stream>
asio::awaitable<void> ScriptedServer::State::converse(std::shared_ptr<State> self,
                                                      Connection& connection, Stream& stream) {
  std::string input;
  while (true) {
    const auto [code, size] = co_await asio::async_read_until(
        stream, asio::dynamic_buffer(input, MaxRequest), "\r\n\r\n", Await);
    if (code) {
      co_return;
    }
    self->requests.push_back(input.substr(0, size));
    input.erase(0, size);
    const Script script = self->respond(self->requests.back());
    for (const Step& step : script) {
      if (!co_await perform(step, connection, stream)) {
        co_return;
      }
    }
  }
}

template <typename Stream>
asio::awaitable<bool> ScriptedServer::State::perform(const Step& step, Connection& connection,
                                                     Stream& stream) {
  asio::steady_timer timer(connection.lowest().get_executor());
  switch (step.kind) {
    case Step::Kind::Send: {
      const auto [code, size] =
          co_await asio::async_write(stream, asio::buffer(step.octets), Await);
      co_return !code;
    }
    case Step::Kind::Pause:
      timer.expires_after(step.pause);
      co_await timer.async_wait(Await);
      co_return true;
    case Step::Kind::End:
      if (connection.tls) {
        // It would wait for the client's own farewell, which may never come.
        connection.tls->async_shutdown(
            [kept = connection.shared_from_this()](const error_code&) {});
        timer.expires_after(std::chrono::milliseconds(20));
        co_await timer.async_wait(Await);
      }
      connection.close();
      co_return false;
    case Step::Kind::Cut:
      connection.close();
      co_return false;
    case Step::Kind::Reset:
      connection.lowest().set_option(asio::socket_base::linger(true, 0));
      connection.close();
      co_return false;
    case Step::Kind::Hang:
      timer.expires_after(std::chrono::hours(1));
      co_await timer.async_wait(Await);
      co_return false;
  }
  co_return false;
}

ScriptedServer::ScriptedServer(asio::io_context& context, const std::string& address,
                               std::optional<ServerTls> tls, Respond respond)
    : state_(std::make_shared<State>(context, std::move(respond))) {
  const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(address), 0);
  const std::string scheme = tls ? "https://" : "http://";
  state_->tls = std::move(tls);
  state_->listen(endpoint);
  asio::ip::tcp::endpoint bound;
  bound.resize(state_->acceptor.local_endpoint().size());
  std::copy_n(reinterpret_cast<const char*>(state_->acceptor.local_endpoint().data()), bound.size(),
              reinterpret_cast<char*>(bound.data()));
  state_->port = bound.port();
  const bool is_v6 = endpoint.address().is_v6();
  state_->url =
      scheme + (is_v6 ? "[" + address + "]" : address) + ":" + std::to_string(state_->port);
}

ScriptedServer::ScriptedServer(asio::io_context& context, const std::string& path, Respond respond)
    : state_(std::make_shared<State>(context, std::move(respond))) {
  state_->listen(asio::local::stream_protocol::endpoint(path));
  state_->url = "unix://" + path;
}

ScriptedServer::~ScriptedServer() {
  error_code ignored;
  state_->acceptor.close(ignored);
  close_connections();
}

const std::string& ScriptedServer::url() const noexcept {
  return state_->url;
}
std::uint16_t ScriptedServer::port() const noexcept {
  return state_->port;
}
const std::vector<std::string>& ScriptedServer::requests() const noexcept {
  return state_->requests;
}
std::size_t ScriptedServer::connections() const noexcept {
  return state_->accepted;
}
std::size_t ScriptedServer::open_connections() const noexcept {
  return state_->open.size();
}

void ScriptedServer::set_tls(ServerTls tls) {
  state_->tls = std::move(tls);
}

void ScriptedServer::close_connections() {
  for (const auto& connection : state_->open) {
    connection->close();
  }
}

Step send(std::string_view octets) {
  return {Step::Kind::Send, std::string(octets), {}};
}
Step pause(std::chrono::milliseconds time) {
  return {Step::Kind::Pause, {}, time};
}
Step then(Step::Kind kind) {
  return {kind, {}, {}};
}

std::string response_with(std::string_view body, std::string_view more_headers) {
  std::string text = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  return text.append(more_headers).append("\r\n").append(body);
}

std::string chunked_response(std::string_view body, std::size_t chunk_size,
                             std::string_view more_headers) {
  std::string text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
  text.append(more_headers).append("\r\n");
  for (; !body.empty(); body.remove_prefix(std::min(chunk_size, body.size()))) {
    const std::string_view chunk = body.substr(0, chunk_size);
    std::array<char, 16> size{};
    const auto end = std::to_chars(size.data(), size.data() + size.size(), chunk.size(), 16).ptr;
    text.append(size.data(), end).append("\r\n").append(chunk).append("\r\n");
  }
  return text.append("0\r\n\r\n");
}

std::string gzip(std::string_view octets) {
  constexpr int GzipWindow = 16 + MAX_WBITS;
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GzipWindow, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    throw std::runtime_error("zlib cannot be set up");
  }
  std::string packed(deflateBound(&stream, octets.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));
  stream.avail_in = static_cast<uInt>(octets.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

}  // namespace waypost::test
