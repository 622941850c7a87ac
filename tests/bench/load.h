// A load generator that keeps a number of questions under way and looks at every answer.

#pragma once

#include "base/ip_address.h"
#include "bench/world.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace waypost::bench {

// What comes back from the other side.
enum class Peer : std::uint8_t {
  Server,  // The answer: id, question, rcode and number of answers are as expected.
  Echo,    // The very request.
};

struct LoadOptions {
  std::size_t window = 512;  // Questions under way, at most 32768.
  std::size_t batch = 64;    // In one system call.
  std::chrono::milliseconds duration{2000};
};

struct LoadResult {
  std::uint64_t answers = 0;  // Right ones.
  std::uint64_t wrong = 0;
  std::uint64_t lost = 0;  // Given up after a tenth of a second without any answer.
  double seconds = 0;
  double cpu_seconds = 0;  // Of the generator's thread.

  double per_second() const { return static_cast<double>(answers) / seconds; }
};

// Asks `questions` of `server`, one after the other and again from the start, until the time is
// over. Runs on the calling thread.  Throws std::system_error when there is no socket.
LoadResult run_load(const SocketAddress& server, Peer peer, std::vector<Question>& questions,
                    const LoadOptions& options);

}  // namespace waypost::bench
