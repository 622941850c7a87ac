// DNS clients for tests: plain blocking sockets whose every wait ends after Patience.

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace waypost::test {

using Message = std::vector<std::uint8_t>;

// Far longer than any answer takes; only a test that fails waits so long.
inline constexpr std::chrono::seconds Patience{5};

// What all threads of the process have used of the CPU so far.
std::chrono::milliseconds cpu_time();

// A descriptor that is closed in the end.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

// Takes answers only from the very address and port that it asks.
class UdpClient {
 public:
  explicit UdpClient(const SocketAddress& server);

  void send(Bytes datagram);
  // The next datagram; absent when none comes.
  std::optional<Message> receive(std::chrono::milliseconds patience = Patience);

 private:
  Descriptor socket_;
};

class TcpClient {
 public:
  // `receive_buffer` is in octets; 0: as the system has it.
  explicit TcpClient(const SocketAddress& server, int receive_buffer = 0);

  // Sends `octets` as they are; false when the connection does not take them.
  bool send(Bytes octets);
  // Says that no more will be sent.
  void finish();
  // The next message without its length; absent at the end of the stream or when none comes.
  std::optional<Message> receive();
  // The octets of one read, at most `size`; absent as for receive().
  std::optional<Message> receive_some(std::size_t size);
  // The same two without waiting.  How many octets were taken, and what is there, if anything.
  std::size_t try_send(Bytes octets);
  std::optional<Message> try_receive_some(std::size_t size);
  // True when the server closes the connection without a further octet.
  bool is_closed();

 private:
  Descriptor socket_;
};

// `message` with its length in front (RFC 1035, 4.2.2).
Message framed(Bytes message);

}  // namespace waypost::test
