// One UDP socket of one worker: waits in Asio, drains with recvmmsg, answers in place, sends with
// sendmmsg.
//
// While a socket is busy it is not registered with the reactor: the kernel would tell epoll of each
// answer that has left, which costs a tenth of the answer.  It goes back as soon as it is empty.
//
// All sockets of a worker share one UdpBatch, because a drain never spans a wait.  Nothing on this
// path allocates, locks or logs; what is refused is counted.
//
// Not here: what the answer is (server/responder.h).

#pragma once

#include "base/bytes.h"
#include "server/counters.h"
#include "server/handover_ring.h"
#include "server/query_sampler.h"
#include "server/recursion.h"
#include "server/responder.h"

#include <boost/asio/ip/udp.hpp>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace waypost::server {

// Room for one batch of datagrams and their answers, about half a megabyte.  One thread uses it.
class UdpBatch {
 public:
  // Datagrams in one recvmmsg.  More does not pay: at 64 a system call is a few per cent of the
  // work.
  static constexpr std::size_t Size = 64;
  // The longest request and answer over UDP, in octets.  Longer requests are dropped.
  static constexpr std::size_t MessageSize = 4096;

  UdpBatch();
  UdpBatch(const UdpBatch&) = delete;
  UdpBatch& operator=(const UdpBatch&) = delete;

  // Takes what the socket has, at most Size datagrams.  Returns how many; 0 for none, -1 for an
  // error, with errno.
  int receive(int fd) noexcept;

  // The datagram at `index` of the last receive().
  Bytes request(std::size_t index) const noexcept;
  // True for one that was longer than MessageSize and is cut.
  bool is_cut(std::size_t index) const noexcept;
  const sockaddr_storage& source(std::size_t index) const noexcept { return sources_[index]; }

  // How an answer gets from `fd`, which the datagram came in on, to source(index).
  ReturnPath return_path(std::size_t index, int fd) noexcept;

  // Where the next answer belongs.
  MutableBytes answer() noexcept;
  // Has the next send() send `size` octets of answer() to source(index), from the local address
  // that the datagram was sent to.  answer() is another place then.
  void queue(std::size_t index, std::size_t size) noexcept;

  std::size_t queued() const noexcept { return queued_; }
  // Sends what is queued.  Returns how many the kernel did not take; those are lost.
  std::size_t send(int fd) noexcept;

 private:
  // One line more than the message keeps the buffers of a batch from all falling into the same few
  // sets of the first-level cache, whose way is 4096 octets.
  static constexpr std::size_t LineSize = 64;
  static constexpr std::size_t Stride = MessageSize + LineSize;
  static constexpr std::size_t ControlSize = CMSG_SPACE(sizeof(in6_pktinfo));

  struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, ControlSize> octets;
  };

  std::array<mmsghdr, Size> incoming_{};
  std::array<mmsghdr, Size> outgoing_{};
  std::array<iovec, Size> incoming_parts_{};
  std::array<iovec, Size> outgoing_parts_{};
  std::array<sockaddr_storage, Size> sources_{};
  std::array<Control, Size> controls_{};
  // Size requests, Stride apart, then Size answers, one close behind the other: so they fill few
  // lines and pages.
  std::unique_ptr<std::uint8_t[]> buffers_;
  std::size_t answers_end_ = 0;  // In octets behind the requests.
  std::size_t used_ = Size;      // Entries of incoming_ that the kernel has written to.
  std::size_t queued_ = 0;
};

// Lives on one thread; all references are borrowed and outlive the object.
class UdpWorker {
 public:
  UdpWorker(boost::asio::ip::udp::socket socket, UdpBatch& batch, Responder& responder,
            Handover& handover, Counters& counters, QuerySampler& sampler) noexcept;
  ~UdpWorker();
  UdpWorker(const UdpWorker&) = delete;
  UdpWorker& operator=(const UdpWorker&) = delete;

  // Answers from now on, until close().
  void start();
  // Reads no more, because another process does; the socket stays open for answers that are owed.
  // On the worker's thread.
  void leave() noexcept;
  // Answers whoever has asked already, unless another process does, then close().  On the worker's
  // thread.
  void finish() noexcept;
  // What is under way ends on the io_context; the object stays until that has run.
  void close() noexcept;

  // The socket.  Any thread, before close().
  int fd() const noexcept { return fd_; }
  // What the socket's buffer may hold, in bytes of the kernel's memory.  Before close().
  std::size_t receive_buffer() const noexcept;
  // Datagrams that the kernel dropped because the socket's buffer was full, modulo 2^32.  Any
  // thread, before close().
  std::uint32_t drops() const noexcept;

 private:
  enum class Left : std::uint8_t { Nothing, Perhaps };

  // One turn: answers what is there, and sees to the next turn.
  void work();
  // Takes up to MaxBatches batches.  Perhaps: there may be more, and others have had no turn.
  Left drain() noexcept;
  void answer_batch(std::size_t count, const Moment& time) noexcept;
  void answer(std::size_t in_group, std::size_t in_batch, const Moment& time) noexcept;
  // Has the resolver find out what the Responder did not know.  False when it has no room.
  bool hand_over(std::size_t index, const Moment& time) noexcept;

  bool is_registered() const noexcept { return socket_.is_open(); }
  // Takes the socket off the reactor, on which nothing waits, and puts it back.
  void unregister() noexcept;
  bool register_again() noexcept;

  boost::asio::ip::udp::socket socket_;  // Not open while the socket is unregistered.
  boost::asio::ip::udp protocol_;
  int fd_;                 // The socket, registered or not; -1 once closed.
  bool has_left_ = false;  // Then it is unregistered and not read.
  UdpBatch& batch_;
  Responder& responder_;
  Handover& handover_;
  Counters& counters_;
  QuerySampler& sampler_;
};

}  // namespace waypost::server
