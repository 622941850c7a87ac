#include "kube/rotating_text.h"

#include "base/file.h"

#include <cerrno>
#include <utility>

namespace waypost::kube {
namespace {

bool is_same(const struct stat& a, const struct stat& b) noexcept {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

Result<void> RotatingText::refresh() {
  if (!has_file()) {
    return {};
  }
  struct stat now{};
  if (::stat(source_.file.c_str(), &now) != 0) {
    return system_failure(source_.file.string());
  }
  if (seen_ && is_same(*seen_, now)) {
    return {};
  }
  if (now.st_size > static_cast<off_t>(MaxSize)) {
    return failure(ErrorKind::Exhausted, source_.file.string() + ": larger than " +
                                             std::to_string(MaxSize >> 10) + " KiB");
  }
  auto content = read_file(source_.file);
  if (!content) {
    return std::unexpected(std::move(content.error()));
  }
  text_ = std::move(*content);
  seen_ = now;
  return {};
}

std::string RotatingText::origin() const {
  return has_file() ? "'" + source_.file.string() + "'" : "the configuration";
}

}  // namespace waypost::kube
