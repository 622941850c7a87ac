// What a thread is for, told to the kernel: a name for `top -H` and whose turn comes first.

#pragma once

#include <string>

namespace waypost {

// For a thread that clients wait for.  Called on that thread.  `name` has at most 15 octets (the
// size of /proc/PID/task/TID/comm).  Undoes what the thread inherits of yield_to_others().
void answer_first(const std::string& name) noexcept;

// Puts the calling thread into SCHED_BATCH (sched(7)): its share of the processor stays the same,
// but when it wakes up it waits until the thread that runs there has finished.  Threads and
// programs that it starts from now on inherit that.  Where an administrator has chosen another
// policy than the usual one, or the kernel refuses, nothing changes: answers are right either way.
void yield_to_others() noexcept;

}  // namespace waypost
