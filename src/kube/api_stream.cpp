#include "kube/api_stream.h"

#include "base/endpoint.h"
#include "base/ip_address.h"
#include "base/pending.h"
#include "base/tls_stream.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace waypost::kube {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

using Clock = std::chrono::steady_clock;
using Socket = asio::generic::stream_protocol::socket;
using Endpoint = asio::generic::stream_protocol::endpoint;
using Failure = ApiStream::Failure;
using TimePoint = ApiStream::TimePoint;

constexpr auto Await = asio::as_tuple(asio::use_awaitable);

constexpr TlsAdvice Advice{
    .wrong_name = "use one of its names as the server's address or as tls-server-name",
    .unknown_authority = "give the cluster's certificate-authority",
    .no_tls = "expected an http:// address, or another port"};

std::unexpected<Failure> fail(ErrorKind kind, std::string message) {
  return std::unexpected(Failure{{kind, std::move(message)}});
}

void set_option(Socket& socket, int level, int name, int value) {
  // None of them is needed for being right; a kernel without one does without.
  ::setsockopt(socket.native_handle(), level, name, &value, sizeof value);
}

// So that requests leave at once, and a peer that has vanished is noticed.
void set_tcp_options(Socket& socket) {
  using std::chrono::milliseconds;
  constexpr int Probes = 3;
  constexpr int Interval = static_cast<int>(ApiStream::DeadPeerTimeout.count()) / Probes;
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, Interval);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, Interval);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, Probes - 1);
  set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT,
             static_cast<int>(milliseconds(ApiStream::DeadPeerTimeout).count()));
}

// A socket, with TLS or without, and the timer that closes it when something takes too long.
class SocketStream : public ApiStream, public std::enable_shared_from_this<SocketStream> {
 public:
  SocketStream(const asio::any_io_executor& executor, std::string_view name)
      : socket_(executor), timer_(executor), check_(std::string(name), Advice) {}

  asio::awaitable<Outcome<std::size_t>> open(Endpoint address, TimePoint deadline);
  asio::awaitable<Outcome<std::size_t>> shake_hands(TlsContext context, TimePoint deadline);

  asio::awaitable<Outcome<std::size_t>> read(MutableBytes buffer, TimePoint deadline) override;
  asio::awaitable<Outcome<std::size_t>> write(std::string_view octets, TimePoint deadline) override;
  void rest() override;
  bool is_stale() const noexcept override;
  const TlsContext& tls_context() const noexcept override { return context_; }

 private:
  // The operation that begins has to be over at `deadline`.
  void arm(TimePoint deadline);
  // Sets the timer to the deadline.
  void wait();
  // It is over, with `code`: a failure says what was being done.
  Outcome<std::size_t> disarm(const error_code& code, std::size_t size, std::string_view doing);

  Socket& socket() noexcept { return tls_ ? tls_->next_layer() : socket_; }

  Socket socket_;  // Moved into tls_ when there is TLS.
  std::optional<asio::ssl::stream<Socket>> tls_;
  TlsContext context_;
  asio::steady_timer timer_;
  // A watch reads a thousand times a second and is never late: the timer is not set anew for each
  // of its reads, but looks at the deadline of now when it rings, and is set to that.
  TimePoint deadline_ = TimePoint::max();
  TimePoint rings_at_ = TimePoint::max();
  bool is_late_ = false;
  PeerCheck check_;
  int fd_ = -1;
};

void SocketStream::arm(TimePoint deadline) {
  deadline_ = deadline;
  if (deadline_ < rings_at_) {
    wait();
  }
}

void SocketStream::wait() {
  rings_at_ = deadline_;
  timer_.expires_at(deadline_);
  timer_.async_wait([weak = weak_from_this()](const error_code& ec) {
    const auto self = weak.lock();
    if (ec || !self) {
      return;
    }
    // The timer may have been set anew since this was queued.
    const auto now = Clock::now();
    if (now < self->rings_at_) {
      return;
    }
    self->rings_at_ = TimePoint::max();
    if (now >= self->deadline_) {
      self->is_late_ = true;
      error_code ignored;
      self->socket().close(ignored);
    } else if (self->deadline_ != TimePoint::max()) {
      self->wait();
    }
  });
}

void SocketStream::rest() {
  rings_at_ = TimePoint::max();
  timer_.cancel();
}

ApiStream::Outcome<std::size_t> SocketStream::disarm(const error_code& code, std::size_t size,
                                                     std::string_view doing) {
  deadline_ = TimePoint::max();
  if (is_late_) {
    return fail(ErrorKind::Exhausted, "timed out while " + std::string(doing));
  }
  if (code) {
    return std::unexpected(
        Failure{{ErrorKind::System, tls_ ? check_.explain(code) : code.message()},
                tls_ ? check_.refusal(code) : TlsRefusal::None});
  }
  return size;
}

asio::awaitable<ApiStream::Outcome<std::size_t>> SocketStream::open(Endpoint address,
                                                                    TimePoint deadline) {
  error_code code;
  socket_.open(address.protocol(), code);
  if (!code) {
    fd_ = socket_.native_handle();
    arm(deadline);
    std::tie(code) = co_await socket_.async_connect(address, Await);
  }
  auto outcome = disarm(code, 0, "connecting");
  if (outcome && address.protocol().family() != AF_UNIX) {
    set_tcp_options(socket_);
  }
  co_return outcome;
}

asio::awaitable<ApiStream::Outcome<std::size_t>> SocketStream::shake_hands(TlsContext context,
                                                                           TimePoint deadline) {
  context_ = std::move(context);
  tls_.emplace(std::move(socket_), *context_);
  if (auto checked = check_peer(*tls_, check_); !checked) {
    co_return std::unexpected(Failure{checked.error()});
  }
  arm(deadline);
  const auto [code] = co_await tls_->async_handshake(asio::ssl::stream_base::client, Await);
  co_return disarm(code, 0, "setting up TLS");
}

asio::awaitable<ApiStream::Outcome<std::size_t>> SocketStream::read(MutableBytes buffer,
                                                                    TimePoint deadline) {
  arm(deadline);
  const auto place = asio::buffer(buffer.data(), buffer.size());
  auto [code, size] = tls_ ? co_await tls_->async_read_some(place, Await)
                           : co_await socket_.async_read_some(place, Await);
  // Without TLS every end looks like this one.
  if (code == asio::error::eof) {
    code = {};
    size = 0;
  }
  co_return disarm(code, size, "waiting for the server");
}

asio::awaitable<ApiStream::Outcome<std::size_t>> SocketStream::write(std::string_view octets,
                                                                     TimePoint deadline) {
  arm(deadline);
  const auto place = asio::buffer(octets.data(), octets.size());
  const auto [code, size] = tls_ ? co_await asio::async_write(*tls_, place, Await)
                                 : co_await asio::async_write(socket_, place, Await);
  co_return disarm(code, size, "sending the request");
}

bool SocketStream::is_stale() const noexcept {
  char octet = 0;
  const auto size = ::recv(fd_, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
  return size >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

// ---------------------------------------------------------------------------------------------

using Addresses = std::vector<Endpoint>;
using Resolved = Result<Addresses>;

// Looks a name up, in the order in which the system gives its addresses (RFC 6724).
asio::awaitable<ApiStream::Outcome<Addresses>> resolve(std::string host, std::uint16_t port,
                                                       TimePoint deadline) {
  using asio::ip::tcp;
  struct LookUp {
    explicit LookUp(const asio::any_io_executor& executor) : resolver(executor) {}
    tcp::resolver resolver;
  };
  const auto executor = co_await asio::this_coro::executor;
  const auto look_up = std::make_shared<LookUp>(executor);
  const auto pending = std::make_shared<Pending<Resolved>>(executor);
  look_up->resolver.async_resolve(
      host, std::to_string(port), tcp::resolver::numeric_service,
      [look_up, pending](const error_code& code, const tcp::resolver::results_type& results) {
        if (code) {
          pending->complete(failure(ErrorKind::System, code.message()));
          return;
        }
        Addresses addresses;
        for (const auto& result : results) {
          addresses.emplace_back(result.endpoint());
        }
        pending->complete(std::move(addresses));
      });
  const Resolved* const resolved = co_await Pending<Resolved>::wait(pending, deadline);
  if (resolved == nullptr) {
    co_return fail(ErrorKind::Exhausted, "timed out while looking up the name " + host);
  }
  if (!*resolved) {
    co_return fail(resolved->error().kind,
                   "looking up the name " + host + ": " + resolved->error().message);
  }
  co_return **resolved;
}

asio::awaitable<ApiStream::Outcome<Addresses>> addresses_of(ApiEndpoint endpoint,
                                                            TimePoint deadline) {
  if (endpoint.transport == ApiEndpoint::Transport::UnixSocket) {
    co_return Addresses{asio::local::stream_protocol::endpoint(endpoint.path)};
  }
  if (const auto address = IpAddress::from_text(endpoint.host)) {
    co_return Addresses{to_endpoint<asio::ip::tcp>({*address, endpoint.port})};
  }
  co_return co_await resolve(std::move(endpoint.host), endpoint.port, deadline);
}

}  // namespace

asio::awaitable<ApiStream::Outcome<std::shared_ptr<ApiStream>>> ApiStream::connect(
    ApiEndpoint endpoint, TlsChoice tls, TimePoint deadline) {
  const auto executor = co_await asio::this_coro::executor;
  const bool has_tls = endpoint.transport == ApiEndpoint::Transport::Tls;
  const auto addresses = co_await addresses_of(std::move(endpoint), deadline);
  if (!addresses) {
    co_return std::unexpected(addresses.error());
  }
  Failure last{{ErrorKind::System, "the name has no address"}};
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    const bool is_last = i + 1 == addresses->size();
    const auto until = is_last ? deadline : std::min(deadline, Clock::now() + AddressTimeout);
    const auto stream = std::make_shared<SocketStream>(executor, tls.name);
    if (auto opened = co_await stream->open((*addresses)[i], until); !opened) {
      last = std::move(opened.error());
      continue;
    }
    if (has_tls) {
      if (auto done = co_await stream->shake_hands(tls.context, deadline); !done) {
        co_return std::unexpected(std::move(done.error()));
      }
    }
    co_return stream;
  }
  co_return std::unexpected(std::move(last));
}

}  // namespace waypost::kube
