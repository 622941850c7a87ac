// Requests on their way from one worker to the resolver's thread: a bounded queue of octets with
// one writer and one reader, without locks, allocation or system calls.
//
// An entry is a head of fixed size and the request behind it, so that small requests take little
// room; what does not fit is refused, and the worker says so to its client.
//
// Not here: waking the reader, and what it does (server/recursion.h).

#pragma once

#include "base/bytes.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace waypost::server {

// Where the answer to a datagram goes, and from where.
struct ReturnPath {
  static constexpr std::size_t MaxControlSize = CMSG_SPACE(sizeof(in6_pktinfo));

  int fd = -1;                    // The worker's socket; negative: a question, without a client.
  std::uint32_t source_size = 0;  // Of `source`, as the kernel said.
  sockaddr_in6 source{};          // Also holds a sockaddr_in, which is smaller.
  std::uint32_t control_size = 0;
  std::uint64_t received_us = 0;  // When the request came, as Moment::uptime_us.
  // Control messages that have the answer leave from the address that was asked.
  alignas(cmsghdr) std::array<std::uint8_t, MaxControlSize> control{};
};

class HandoverRing {
 public:
  // In octets.  A query takes about two hundred with its head, so that more than a thousand fit.
  static constexpr std::size_t Capacity = std::size_t{256} << 10;

  HandoverRing() : octets_(std::make_unique_for_overwrite<std::uint8_t[]>(Capacity)) {}
  HandoverRing(const HandoverRing&) = delete;
  HandoverRing& operator=(const HandoverRing&) = delete;

  // The writer: takes a copy of both.  False when there is no room; then nothing has changed.
  bool push(const ReturnPath& path, Bytes request) noexcept;

  // The reader: hands what is there now, in order, to `take(const ReturnPath&, Bytes)`.  Views are
  // good for the call.  What is pushed meanwhile waits for the next call.
  template <typename Take>
  void drain(Take&& take) {
    const std::uint64_t end = written_.load(std::memory_order_acquire);
    for (std::uint64_t at = read_.load(std::memory_order_relaxed); at != end;) {
      const Entry entry = entry_at(at);
      if (!entry.is_gap) {
        take(*entry.path, entry.request);
      }
      at += entry.size;
      read_.store(at, std::memory_order_release);
    }
  }

 private:
  // What stands before a request.  A gap fills the end of the buffer, where no entry fits.
  struct Head {
    std::uint32_t request_size;
    ReturnPath path;
  };
  static constexpr std::uint32_t Gap = 0xffffffff;

  struct Entry {
    bool is_gap;
    std::uint64_t size;
    const ReturnPath* path;
    Bytes request;
  };

  static std::size_t entry_size(std::size_t request_size) noexcept {
    return (sizeof(Head) + request_size + alignof(Head) - 1) / alignof(Head) * alignof(Head);
  }
  Entry entry_at(std::uint64_t position) const noexcept;

  std::unique_ptr<std::uint8_t[]> octets_;
  // Octets since the beginning; a position in the buffer is one of them modulo Capacity.  On lines
  // of their own, because each has another writer.
  alignas(64) std::atomic<std::uint64_t> written_{0};
  alignas(64) std::atomic<std::uint64_t> read_{0};
};

}  // namespace waypost::server
