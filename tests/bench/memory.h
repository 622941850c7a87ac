// What a world costs: memory at rest, under churn and during a complete list, and time for a change
// of one endpoint by the size of its Service.

#pragma once

#include "bench/world.h"

#include <cstdint>

namespace waypost::bench {

struct MemoryOptions {
  WorldSize world;
  std::uint32_t changes = 1'000'000;  // Of one endpoint each, spread over the Services.
};

// Prints the report.  No other thread may allocate meanwhile.
void report_memory(const MemoryOptions& options);

}  // namespace waypost::bench
