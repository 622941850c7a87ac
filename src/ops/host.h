// What the machine under this process offers: cores that may be used, addresses that reach it.

#pragma once

#include "base/ip_address.h"

#include <filesystem>
#include <string_view>
#include <vector>

namespace waypost::ops {

// Returns the cores that this process may keep busy, at least 1: those of its scheduling affinity,
// or fewer when a cgroup's CPU quota allows fewer.  A part of a core counts as one.
unsigned usable_cores();

// Returns the tightest CPU quota in cores, rounded up, or 0 when there is none.  `membership` is
// the text of /proc/self/cgroup, `mount` is where cgroups are mounted.  Both versions of cgroups
// are understood (Linux Documentation/admin-guide/cgroup-v2.rst "cpu.max",
// scheduler/sched-bwc.rst); every level up to the root counts, because the kernel enforces each.
unsigned quota_cores(std::string_view membership, const std::filesystem::path& mount);

// Returns the addresses under which clients reach sockets that are bound to `listen`: the addresses
// themselves, and for a wildcard those of the host's interfaces in its family, without loopback and
// link-local ones; the loopback address when there is no other.
std::vector<IpAddress> own_addresses(const std::vector<SocketAddress>& listen);

}  // namespace waypost::ops
