// The lock that the legacy iptables programs take, and who has it.

#pragma once

#include <string>
#include <string_view>

namespace waypost::proxy {

// The lock file, as iptables finds it: XTABLES_LOCKFILE, or /run/xtables.lock.
std::string xtables_lock_path();

// "process 812 (calico-node)": who holds a lock on the file at `path`, found through /proc/locks;
// "somebody outside this process's view" when the lock is held but the holder cannot be seen (it
// is in another PID namespace); empty when nobody holds it, or there is no such file.
std::string lock_holder(const std::string& path);

// The process that /proc/locks, as `locks`, says to hold a lock on that file; -1 for none, 0 for
// one that cannot be seen.
int find_lock_holder(std::string_view locks, unsigned device_major, unsigned device_minor,
                     unsigned long long inode) noexcept;

}  // namespace waypost::proxy
