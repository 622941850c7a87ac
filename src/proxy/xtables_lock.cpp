#include "proxy/xtables_lock.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace waypost::proxy {
namespace {

// Files under /proc have no size, so that base/file.h does not read them.
std::string proc_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

template <typename Number>
bool read_number(std::string_view& text, Number& number, int base, char end) noexcept {
  const auto [at, ec] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (ec != std::errc() || (at != text.data() + text.size() && *at != end)) {
    return false;
  }
  text.remove_prefix(static_cast<std::size_t>(at - text.data()));
  text.remove_prefix(text.empty() ? 0 : 1);
  return true;
}

// The word number `n` of a line, from 0.
std::string_view word(std::string_view line, unsigned n) noexcept {
  for (;;) {
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin == std::string_view::npos) {
      return {};
    }
    line.remove_prefix(begin);
    const std::string_view found = line.substr(0, line.find(' '));
    if (n-- == 0) {
      return found;
    }
    line.remove_prefix(found.size());
  }
}

}  // namespace

std::string xtables_lock_path() {
  const char* path = std::getenv("XTABLES_LOCKFILE");
  return path != nullptr && *path != '\0' ? path : "/run/xtables.lock";
}

// "1: FLOCK  ADVISORY  WRITE 812 fe:00:10952894 0 EOF" (proc(5)); a waiting process has "->" behind
// the number.
int find_lock_holder(std::string_view locks, unsigned device_major, unsigned device_minor,
                     unsigned long long inode) noexcept {
  while (!locks.empty()) {
    const std::size_t end = locks.find('\n');
    const std::string_view line = locks.substr(0, end);
    locks.remove_prefix(end == std::string_view::npos ? locks.size() : end + 1);
    if (word(line, 1) == "->") {
      continue;
    }
    std::string_view pid_text = word(line, 4);
    std::string_view place = word(line, 5);
    int pid = 0;
    unsigned line_major = 0;
    unsigned line_minor = 0;
    unsigned long long line_inode = 0;
    if (read_number(pid_text, pid, 10, ' ') && read_number(place, line_major, 16, ':') &&
        read_number(place, line_minor, 16, ':') && read_number(place, line_inode, 10, ' ') &&
        line_major == device_major && line_minor == device_minor && line_inode == inode) {
      return pid < 0 ? 0 : pid;
    }
  }
  return -1;
}

std::string lock_holder(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    return {};
  }
  const int pid = find_lock_holder(proc_text("/proc/locks"), major(status.st_dev),
                                   minor(status.st_dev), status.st_ino);
  if (pid < 0) {
    return {};
  }
  if (pid == 0) {
    return "somebody outside this process's view";
  }
  std::string name = proc_text("/proc/" + std::to_string(pid) + "/comm");
  while (name.ends_with('\n')) {
    name.pop_back();
  }
  return "process " + std::to_string(pid) + " (" + (name.empty() ? "gone" : name) + ")";
}

}  // namespace waypost::proxy
