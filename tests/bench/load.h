// A load generator that keeps a number of questions under way, or asks at a fixed rate, and looks
// at every answer.

#pragma once

#include "base/ip_address.h"
#include "bench/latencies.h"
#include "bench/questions.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace waypost::bench {

// What comes back from the other side.
enum class Peer : std::uint8_t {
  Server,  // The answer, see is_right().
  Echo,    // The very request.
};

struct LoadOptions {
  std::size_t window = 512;  // Questions under way, at most MaxWindow.
  std::size_t batch = 64;    // In one system call.
  std::size_t sockets = 1;   // UDP sockets, or TCP connections, that take turns.
  // Questions in a second; 0: as many as the window lets through.  UDP only.  A question's latency
  // is then measured from when it was due, so that what a slow answer holds up counts as slow.
  double rate = 0;
  std::uint64_t count = 0;  // Ends after that many questions; 0: no such end.
  std::chrono::milliseconds duration{2000};
  // How long to look for answers again and again before sleeping until some come.
  std::chrono::microseconds spin{50};
};

inline constexpr std::size_t MaxWindow = 32768;

struct LoadResult {
  std::uint64_t answers = 0;  // Right ones.
  std::uint64_t wrong = 0;    // Not what the question asks for, or not asked for at all.
  std::uint64_t lost = 0;     // Given up after two seconds without any answer.
  double seconds = 0;         // Until the last question or answer.
  double cpu_seconds = 0;     // Of the generator's thread.
  Latencies latencies;        // Of right answers.

  double per_second() const { return static_cast<double>(answers) / seconds; }
};

// Asks `questions` of `server`, one after the other and again from the start, until the time is
// over or the count reached.  Runs on the calling thread.  Throws std::system_error when there is
// no socket.
LoadResult run_load(const SocketAddress& server, Peer peer, std::vector<Question>& questions,
                    const LoadOptions& options);

// The same over TCP: each connection is written to without waiting for answers (RFC 7766,
// 6.2.1.1), which may come in any order.  Throws std::system_error when a connection fails or is
// closed.
LoadResult run_tcp_load(const SocketAddress& server, const std::vector<Question>& questions,
                        const LoadOptions& options);

}  // namespace waypost::bench
