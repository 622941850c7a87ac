// What the kernel says about this process.

#pragma once

#include <cstdint>

namespace waypost::ops {

// Each is 0 where the kernel does not tell (proc(5) may be restricted).
struct ProcessStatus {
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  double cpu_seconds = 0;    // User and system, of all threads.
  double start_seconds = 0;  // Since 1970 (UTC).
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;  // The soft limit.
};

// A handful of system calls, and one for every hundred or so open descriptors.
ProcessStatus read_process_status();

}  // namespace waypost::ops
