#include "base/file_identity.h"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>

namespace waypost {
namespace {

constexpr std::int64_t NsPerSecond = 1'000'000'000;

// The kernel stamps files with a clock that advances in ticks of up to 10 ms: a file that was
// written this recently may be written again without a new stamp.
constexpr std::int64_t UnsettledNs = 50'000'000;

std::int64_t to_ns(const timespec& time) noexcept {
  return std::int64_t{time.tv_sec} * NsPerSecond + time.tv_nsec;
}

}  // namespace

bool FileIdentity::is_settled() const noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return to_ns(now) - std::max(modified_ns, changed_ns) > UnsettledNs;
}

std::optional<FileIdentity> identify(const std::filesystem::path& path) noexcept {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) {
    return std::nullopt;
  }
  return FileIdentity{status.st_dev, status.st_ino, status.st_size, to_ns(status.st_mtim),
                      to_ns(status.st_ctim)};
}

}  // namespace waypost
