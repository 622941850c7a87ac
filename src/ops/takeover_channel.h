// Messages with file descriptors between a process and the one that takes its place, over a
// connection of SOCK_SEQPACKET (unix(7)), whose messages arrive whole and in order.
//
// A message is an octet that says what it is, octets, and descriptors (SCM_RIGHTS).
//
// Not here: what is said when (ops/takeover.h).

#pragma once

#include "base/error.h"
#include "base/owned_fd.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace waypost::ops {

struct TakeoverMessage {
  enum class Kind : std::uint8_t {
    Hello = 'H',          // From the new process: its version of this protocol, one octet.
    DnsSockets = 'D',     // Listening sockets, of which there may be more in a further message.
    StatusSockets = 'S',  // The same of probes and scrapes.
    Secret = 'K',         // That of server cookies; the last of what a new process gets.
    Refusal = 'R',        // Instead: why not, as text.
    Go = 'G',             // From the new process: it answers.
    Left = 'L',           // The old one has made the new one its service's main process.
    Connection = 'C',     // A TCP connection, and what was read of it without being answered.
  };
  Kind kind;
  std::vector<std::uint8_t> octets = {};  // At most MaxOctets.
  std::vector<OwnedFd> descriptors = {};  // At most MaxDescriptors.

  static constexpr std::size_t MaxOctets = 16384;
  static constexpr std::size_t MaxDescriptors = 200;  // The kernel takes 253 (SCM_MAX_FD).
};

// Sends without waiting.  False when the connection has no room for it now.
Result<bool> send_message(int fd, const TakeoverMessage& message);

// Waits at most so long for the next message.  Fails at the end of the connection, or when what
// comes is no message.
Result<TakeoverMessage> receive_message(int fd, std::chrono::milliseconds patience);

// Who is at the other end, as the kernel noted when it connected (SO_PEERCRED).
struct TakeoverPeer {
  int process = 0;
  unsigned user = 0;
};
std::optional<TakeoverPeer> peer_of(int fd) noexcept;

// The control thread's end of a connection.  Held by a shared_ptr; what waits holds it, too, until
// close().
class TakeoverChannel : public std::enable_shared_from_this<TakeoverChannel> {
 public:
  // `context` is borrowed and outlives this object.
  TakeoverChannel(boost::asio::io_context& context, OwnedFd connection);

  // Hands every message to `take`, and what ends the connection to `end`, once.
  void start(std::function<void(TakeoverMessage)> take, std::function<void(const Error&)> end);

  // Sends it when there is room.  What cannot be sent any more is dropped, descriptors closed.
  void send(TakeoverMessage message);
  // Whether everything is on its way.
  bool is_idle() const noexcept { return queue_.empty(); }

  // Nothing is called any more.
  void close();

 private:
  void await_message();
  void await_room();
  void flush();
  void finish(const Error& why);

  boost::asio::posix::stream_descriptor connection_;
  std::function<void(TakeoverMessage)> take_;
  std::function<void(const Error&)> end_;
  std::deque<TakeoverMessage> queue_;
};

}  // namespace waypost::ops
