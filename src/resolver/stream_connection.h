// One connection to an upstream, over TCP or TLS: many questions at a time, answers in any order
// (RFC 7766, 6.2.1.1 and 7; RFC 7858).
//
// Not here: how many there are (resolver/stream_pool.h), what the answers are worth
// (resolver/exchange.h).

#pragma once

#include "base/alarm.h"
#include "base/bytes.h"
#include "resolver/outgoing_question.h"
#include "resolver/surroundings.h"
#include "resolver/upstream_address.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace waypost::resolver {

// Why a connection is no more.
enum class StreamEnd : std::uint8_t {
  NoSocket,     // The kernel gives none: no file descriptor is left, say.
  Unreachable,  // It could not be made.
  TlsRefused,   // Nor could TLS; the server's certificate is not believed, say.
  TimedOut,     // Making it, or the server says nothing any more.
  Closed,       // By the server, or the network.
  Garbage,      // What came is no DNS.
  Idle,         // Nobody needed it.
};

// Who waits for an answer.  One of the two is called, once, unless it was forgotten before.
class StreamClient {
 public:
  // `message` is good for the call.  Its id is that of the question.
  virtual void on_message(Bytes message) = 0;
  // `was_good` when the connection had carried an answer: the question is worth another one.
  virtual void on_stream_end(StreamEnd end, bool was_good) = 0;

 protected:
  ~StreamClient() = default;
};

// Used on one thread.  Closed by whoever owns it; nothing is called any more after that.
class StreamConnection {
 public:
  // Questions without an answer at one time; further ones are for another connection.
  static constexpr std::size_t MaxPipelined = 64;
  // How long it is kept for nobody (RFC 7766, 6.2.3: in the order of a few seconds).
  static constexpr std::chrono::seconds IdleTimeout{10};
  // Messages that nobody asked for, on one connection, before it is closed.
  static constexpr std::size_t MaxStrays = 8;

  // Called once when it ends, before its clients are told; `reason` is for people.
  using OnEnd = std::function<void(StreamConnection&, StreamEnd end, const std::string& reason)>;

  // Begins to connect.  `tls` and `address.tls_name` matter for Transport::Tls only.
  StreamConnection(Surroundings& surroundings, const UpstreamAddress& address, OnEnd on_end);
  // Forgets the clients, and closes.
  ~StreamConnection();
  StreamConnection(const StreamConnection&) = delete;
  StreamConnection& operator=(const StreamConnection&) = delete;

  bool is_full() const noexcept;
  // Questions whose answers somebody waits for.
  std::size_t in_flight() const noexcept;
  std::size_t answers() const noexcept;

  // Gives the question an id of its own and sends it as soon as the connection is made.  `client`
  // is borrowed until it is called or forgotten.  REQUIRES: not is_full().
  std::uint16_t send(OutgoingQuestion& question, StreamClient& client);
  // Nobody waits for the answer with `id` any more.  When that is because it is `late`, and nothing
  // at all came since the question went out, the connection ends.
  void forget(std::uint16_t id, bool late);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace waypost::resolver
