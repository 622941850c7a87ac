#include "resolver/stream_connection.h"

#include "base/endpoint.h"
#include "base/tls_stream.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace waypost::resolver {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto Await = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t LengthSize = 2;  // RFC 1035, 4.2.2
constexpr std::size_t FirstBuffer = 4096;

constexpr TlsAdvice Advice{.wrong_name = "write one of its names behind '#'",
                           .unknown_authority = "give the authority's certificate",
                           .no_tls = "expected a server for DNS over TLS at this port"};

}  // namespace

// Lives on with its coroutine, which does nothing more once it is closed.
struct StreamConnection::State : std::enable_shared_from_this<State> {
  State(Surroundings& around, const UpstreamAddress& to, StreamConnection* of, OnEnd end);

  asio::awaitable<void> run();
  asio::awaitable<error_code> shake_hands();
  asio::awaitable<error_code> read();
  // Hands out the whole messages that were read.
  void take_messages();
  void take_message(Bytes message);
  void flush();
  void on_written(const error_code& code);
  void note_use();
  // Ends the connection and tells everybody.
  void end(StreamEnd why, const std::string& reason);
  void close() noexcept;
  tcp::socket& lowest() noexcept { return tls ? tls->next_layer() : socket; }

  struct Waiting {
    StreamClient* client;      // Null: forgotten, but the answer may come.
    std::size_t heard_before;  // Reads when the question was sent.
  };

  // The owner and what it lends; not to be touched once it is closed.
  Surroundings& surroundings;
  StreamConnection* connection;
  const UpstreamAddress address;
  OnEnd on_end;
  std::optional<Alarm> alarm;  // For setting up, then for idling.

  tcp::socket socket;  // Moved into `tls` when there is TLS.
  PeerCheck check;
  TlsContext context;  // Outlives `tls`.
  std::optional<asio::ssl::stream<tcp::socket>> tls;

  bool is_open = false;
  bool is_closed = false;
  bool is_writing = false;
  std::vector<std::uint8_t> outbox;
  std::vector<std::uint8_t> writing;
  std::vector<std::uint8_t> inbox;
  std::size_t filled = 0;

  std::unordered_map<std::uint16_t, Waiting> waiting;  // MaxPipelined at most.
  std::size_t clients = 0;  // Of those waiting, the ones that are not forgotten.
  std::size_t heard = 0;    // Reads that brought octets.
  std::size_t answers = 0;
  std::size_t strays = 0;
};

StreamConnection::State::State(Surroundings& around, const UpstreamAddress& to,
                               StreamConnection* of, OnEnd end)
    : surroundings(around),
      connection(of),
      address(to),
      on_end(std::move(end)),
      socket(around.executor),
      check(to.tls_name.empty() ? to.socket.address.to_text() : to.tls_name, Advice),
      context(around.tls) {}

asio::awaitable<void> StreamConnection::State::run() {
  const auto self = shared_from_this();
  // Nothing ends before the constructor has.
  co_await asio::post(surroundings.executor, asio::use_awaitable);
  if (is_closed) {
    co_return;
  }
  const tcp::endpoint endpoint = to_endpoint<tcp>(address.socket, address.scope);
  error_code code;
  socket.open(endpoint.protocol(), code);
  if (code) {
    end(StreamEnd::NoSocket, code.message());
    co_return;
  }
  std::tie(code) = co_await socket.async_connect(endpoint, Await);
  if (is_closed) {
    co_return;
  }
  if (code) {
    end(StreamEnd::Unreachable, code.message());
    co_return;
  }
  error_code ignored;  // Questions leave later without it, and are right all the same.
  socket.set_option(tcp::no_delay(true), ignored);
  if (address.transport == Transport::Tls) {
    code = co_await shake_hands();
    if (is_closed) {
      co_return;
    }
    if (code) {
      end(StreamEnd::TlsRefused, check.explain(code));
      co_return;
    }
  }
  is_open = true;
  inbox.resize(FirstBuffer);
  note_use();
  flush();
  while (!is_closed) {
    code = co_await read();
    if (is_closed) {
      co_return;
    }
    if (code) {
      end(StreamEnd::Closed, code.message());
      co_return;
    }
    take_messages();
  }
}

asio::awaitable<error_code> StreamConnection::State::shake_hands() {
  tls.emplace(std::move(socket), *context);
  if (!check_peer(*tls, check)) {
    co_return error_code(asio::error::invalid_argument);
  }
  const auto [code] = co_await tls->async_handshake(asio::ssl::stream_base::client, Await);
  co_return code;
}

asio::awaitable<error_code> StreamConnection::State::read() {
  const auto place = asio::buffer(inbox.data() + filled, inbox.size() - filled);
  const auto [code, size] = tls ? co_await tls->async_read_some(place, Await)
                                : co_await socket.async_read_some(place, Await);
  filled += size;
  heard += size != 0 ? 1 : 0;
  co_return code;
}

void StreamConnection::State::take_messages() {
  std::size_t at = 0;
  std::size_t wanted = FirstBuffer;
  while (!is_closed && filled - at >= LengthSize) {
    const std::size_t size = load_u16(inbox.data() + at);
    if (size < dns::HeaderSize) {
      end(StreamEnd::Garbage, "a message is shorter than a header");
      return;
    }
    if (filled - at < LengthSize + size) {
      wanted = std::max(wanted, LengthSize + size);
      break;
    }
    take_message(Bytes(inbox).subspan(at + LengthSize, size));
    at += LengthSize + size;
  }
  std::copy(inbox.begin() + static_cast<std::ptrdiff_t>(at),
            inbox.begin() + static_cast<std::ptrdiff_t>(filled), inbox.begin());
  filled -= at;
  // A message is 65 537 octets at most; after a large one the room is given back.
  if (wanted > inbox.size() ||
      (wanted == FirstBuffer && inbox.size() > 4 * FirstBuffer && filled <= FirstBuffer)) {
    inbox.resize(wanted);
    inbox.shrink_to_fit();
  }
}

void StreamConnection::State::take_message(Bytes message) {
  const auto found = waiting.find(load_u16(message.data()));
  if (found == waiting.end()) {
    if (++strays > MaxStrays) {
      end(StreamEnd::Garbage, "messages came that were not asked for");
    }
    return;
  }
  StreamClient* const client = found->second.client;
  waiting.erase(found);
  ++answers;
  if (client != nullptr) {
    --clients;
    note_use();
    client->on_message(message);
  }
}

void StreamConnection::State::flush() {
  if (!is_open || is_closed || is_writing || outbox.empty()) {
    return;
  }
  writing.swap(outbox);
  outbox.clear();
  is_writing = true;
  const auto on_done = [self = shared_from_this()](const error_code& code, std::size_t) {
    self->on_written(code);
  };
  if (tls) {
    asio::async_write(*tls, asio::buffer(writing), on_done);
  } else {
    asio::async_write(socket, asio::buffer(writing), on_done);
  }
}

void StreamConnection::State::on_written(const error_code& code) {
  is_writing = false;
  if (is_closed) {
    return;
  }
  if (code) {
    end(StreamEnd::Closed, code.message());
    return;
  }
  flush();
}

void StreamConnection::State::note_use() {
  if (!is_open || is_closed) {
    return;
  }
  if (clients == 0) {
    alarm->set(surroundings.clock.now() + IdleTimeout);
  } else {
    alarm->cancel();
  }
}

void StreamConnection::State::end(StreamEnd why, const std::string& reason) {
  if (is_closed) {
    return;
  }
  const auto self = shared_from_this();
  close();
  const bool was_good = answers != 0;
  // The connection may be destroyed by what is called.
  const auto told = std::exchange(waiting, {});
  const auto call = std::exchange(on_end, {});
  if (call) {
    call(*connection, why, reason);
  }
  for (const auto& [id, entry] : told) {
    if (entry.client != nullptr) {
      entry.client->on_stream_end(why, was_good);
    }
  }
}

void StreamConnection::State::close() noexcept {
  is_closed = true;
  alarm.reset();
  error_code ignored;
  lowest().close(ignored);
}

// ---------------------------------------------------------------------------------------------

StreamConnection::StreamConnection(Surroundings& surroundings, const UpstreamAddress& address,
                                   OnEnd on_end)
    : state_(std::make_shared<State>(surroundings, address, this, std::move(on_end))) {
  state_->alarm.emplace(surroundings.clock, [weak = state_->weak_from_this()] {
    if (const auto state = weak.lock()) {
      state->is_open ? state->end(StreamEnd::Idle, "nobody needed it")
                     : state->end(StreamEnd::TimedOut, "timed out while connecting");
    }
  });
  state_->alarm->set(surroundings.clock.now() + surroundings.options.upstream_timeout);
  asio::co_spawn(surroundings.executor, [state = state_] { return state->run(); }, asio::detached);
}

StreamConnection::~StreamConnection() {
  if (!state_->is_closed) {
    state_->close();
  }
}

bool StreamConnection::is_full() const noexcept {
  return state_->is_closed || state_->waiting.size() >= MaxPipelined;
}

std::size_t StreamConnection::in_flight() const noexcept {
  return state_->clients;
}

std::size_t StreamConnection::answers() const noexcept {
  return state_->answers;
}

std::uint16_t StreamConnection::send(OutgoingQuestion& question, StreamClient& client) {
  std::uint16_t id = 0;
  do {  // A handful of 65 536 are taken.
    id = static_cast<std::uint16_t>(state_->surroundings.random.next());
  } while (state_->waiting.contains(id));
  question.set_id(id);
  state_->waiting.emplace(id, State::Waiting{&client, state_->heard});
  ++state_->clients;
  state_->note_use();

  const Bytes octets = question.octets();
  const std::array<std::uint8_t, LengthSize> length{static_cast<std::uint8_t>(octets.size() >> 8),
                                                    static_cast<std::uint8_t>(octets.size())};
  state_->outbox.insert(state_->outbox.end(), length.begin(), length.end());
  state_->outbox.insert(state_->outbox.end(), octets.begin(), octets.end());
  state_->flush();
  return id;
}

void StreamConnection::forget(std::uint16_t id, bool late) {
  const auto found = state_->waiting.find(id);
  if (found == state_->waiting.end() || found->second.client == nullptr) {
    return;
  }
  found->second.client = nullptr;
  --state_->clients;
  const bool is_silent = found->second.heard_before == state_->heard;
  if (late && is_silent && state_->is_open) {
    state_->end(StreamEnd::TimedOut, "the server says nothing any more");
    return;
  }
  state_->note_use();
}

}  // namespace waypost::resolver
