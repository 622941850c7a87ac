#include "resolver/stream_pool.h"

#include <algorithm>
#include <utility>

namespace waypost::resolver {

StreamPool::StreamPool(Surroundings& surroundings, const UpstreamAddress& address,
                       UpstreamCounters& counters, OnTlsRefused on_tls_refused)
    : surroundings_(surroundings),
      address_(address),
      counters_(counters),
      on_tls_refused_(std::move(on_tls_refused)) {}

std::size_t StreamPool::most_connections() const noexcept {
  const std::size_t in_flight = surroundings_.options.max_in_flight;
  const std::size_t questions = most_questions();
  return questions != 0
             ? std::min(in_flight, MaxShortConnections)
             : (in_flight + StreamConnection::MaxPipelined - 1) / StreamConnection::MaxPipelined;
}

StreamPool::Numbered* StreamPool::find_room() {
  const std::size_t most = most_questions();
  for (Numbered& one : connections_) {
    const StreamConnection& connection = *one.connection;
    if (!connection.is_full() &&
        (most == 0 || connection.answers() + connection.in_flight() < most)) {
      ++counters_.reuses;
      return &one;
    }
  }
  if (connections_.size() >= most_connections()) {
    // What has had its questions, or waits for nobody, makes room.
    const auto idle = std::ranges::find_if(
        connections_, [](const Numbered& one) { return one.connection->in_flight() == 0; });
    if (idle == connections_.end()) {
      return nullptr;
    }
    connections_.erase(idle);
  }
  ++counters_.connections;
  auto connection = std::make_unique<StreamConnection>(
      surroundings_, address_,
      [this](StreamConnection& ended, StreamEnd end, const std::string& reason) {
        on_end(ended, end, reason);
      });
  connections_.push_back({next_number_++, std::move(connection)});
  return &connections_.back();
}

std::optional<StreamPool::Ticket> StreamPool::send(OutgoingQuestion& question,
                                                   StreamClient& client) {
  Numbered* const room = find_room();
  if (room == nullptr) {
    return std::nullopt;
  }
  return Ticket{room->number, room->connection->send(question, client)};
}

void StreamPool::forget(const Ticket& ticket, bool late) {
  const auto found = std::ranges::find(connections_, ticket.connection, &Numbered::number);
  if (found != connections_.end()) {
    found->connection->forget(ticket.id, late);
  }
}

void StreamPool::note_close(const StreamConnection& connection) {
  if (connection.in_flight() == 0 || connection.answers() == 0) {
    return;
  }
  const bool is_short = connection.answers() == 1 || connection.answers() == short_after_;
  if (is_short || most_questions() == 0) {
    short_after_ = connection.answers();
  }
  if (is_short) {
    short_until_ = surroundings_.clock.now() + ShortFor;
  }
}

void StreamPool::on_end(StreamConnection& connection, StreamEnd end, const std::string& reason) {
  switch (end) {
    case StreamEnd::TlsRefused:
      ++counters_.tls_failures;
      on_tls_refused_(reason);
      break;
    case StreamEnd::Closed:
      // Not a failure when nobody waited: servers close what idles.
      counters_.connection_failures += connection.in_flight() != 0 ? 1 : 0;
      note_close(connection);
      break;
    case StreamEnd::Unreachable:
    case StreamEnd::TimedOut:
    case StreamEnd::Garbage:
      ++counters_.connection_failures;
      break;
    case StreamEnd::NoSocket:
    case StreamEnd::Idle:
      break;
  }
  std::erase_if(connections_,
                [&](const Numbered& one) { return one.connection.get() == &connection; });
}

}  // namespace waypost::resolver
