// The connections to one upstream: as few as will do (RFC 7766, 6.2.2).

#pragma once

#include "resolver/stream_connection.h"
#include "resolver/surroundings.h"
#include "resolver/upstream_address.h"
#include "resolver/upstream_report.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace waypost::resolver {

// One thread.
class StreamPool {
 public:
  // For a server that closes a connection after a few answers, while more are waited for: after
  // one, or two times in a row after as many.  For a while it gets no more questions on each than
  // that.
  static constexpr std::size_t MaxShortConnections = 256;
  static constexpr std::chrono::minutes ShortFor{15};

  // Where a question went.  Good until its client is called, or the pool is gone.
  struct Ticket {
    std::uint64_t connection = 0;
    std::uint16_t id = 0;
  };
  using OnTlsRefused = std::function<void(const std::string& reason)>;

  // All are borrowed.
  StreamPool(Surroundings& surroundings, const UpstreamAddress& address, UpstreamCounters& counters,
             OnTlsRefused on_tls_refused);

  // Sends the question on a connection that has room, or on a new one.  Nothing when all are full:
  // there are as many as max_in_flight questions take, or MaxShortConnections.
  std::optional<Ticket> send(OutgoingQuestion& question, StreamClient& client);
  // Nobody waits for its answer any more; see StreamConnection::forget().
  void forget(const Ticket& ticket, bool late);

  std::size_t size() const noexcept { return connections_.size(); }

 private:
  struct Numbered {
    std::uint64_t number;
    std::unique_ptr<StreamConnection> connection;
  };

  // Of one connection, in all; 0: no bound.
  std::size_t most_questions() const noexcept {
    return surroundings_.clock.now() < short_until_ ? short_after_ : 0;
  }
  std::size_t most_connections() const noexcept;
  Numbered* find_room();
  void note_close(const StreamConnection& connection);
  void on_end(StreamConnection& connection, StreamEnd end, const std::string& reason);

  Surroundings& surroundings_;
  const UpstreamAddress& address_;
  UpstreamCounters& counters_;
  OnTlsRefused on_tls_refused_;
  AlarmClock::Time short_until_;
  std::size_t short_after_ = 0;  // Answers of the last one that was closed so.
  std::uint64_t next_number_ = 1;
  std::vector<Numbered> connections_;
};

}  // namespace waypost::resolver
