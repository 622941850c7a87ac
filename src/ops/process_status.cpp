#include "ops/process_status.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace waypost::ops {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Seconds from 1970 to the start of the kernel: "btime 1767225600" in /proc/stat.
double boot_seconds() {
  std::ifstream stat("/proc/stat");
  for (std::string word; stat >> word;) {
    if (double value = 0; word == "btime" && stat >> value) {
      return value;
    }
  }
  return 0;
}

// What stands in field `number` of /proc/self/stat, counted from 1; proc(5).
double stat_field(int number) {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  // The second field, the program's name, may hold blanks and parentheses.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) {
    return 0;
  }
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int i = 3; i <= number; ++i) {
    fields >> field;
  }
  double value = 0;
  std::istringstream(field) >> value;
  return value;
}

}  // namespace

ProcessStatus read_process_status() {
  constexpr int StartTime = 22;  // In ticks since boot.
  ProcessStatus status;

  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> total_pages >> resident_pages;
  const auto page = static_cast<std::uint64_t>(std::max(0L, sysconf(_SC_PAGESIZE)));
  status.virtual_bytes = total_pages * page;
  status.resident_bytes = resident_pages * page;

  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    status.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  const auto ticks = static_cast<double>(std::max(1L, sysconf(_SC_CLK_TCK)));
  const double boot = boot_seconds();
  status.start_seconds = boot == 0 ? 0 : boot + stat_field(StartTime) / ticks;

  std::error_code ec;
  for (std::filesystem::directory_iterator at("/proc/self/fd", ec), end; !ec && at != end;
       at.increment(ec)) {
    ++status.open_fds;
  }
  status.open_fds -= status.open_fds > 0 ? 1 : 0;  // The one that counts.
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    status.max_fds = limit.rlim_cur;
  }
  return status;
}

}  // namespace waypost::ops
