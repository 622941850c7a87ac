#include "base/file_replacement.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace waypost {
namespace {

namespace fs = std::filesystem;

int create(const fs::path& path) noexcept {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

// Locks an open file, and makes sure that `path` is still its name.  Only who has the lock renames
// or removes the file of that name, so that it stays so.
bool has_lock_of(const fs::path& path, int fd) noexcept {
  struct stat locked{};
  struct stat named{};
  return ::flock(fd, LOCK_EX | LOCK_NB) == 0 && ::fstat(fd, &locked) == 0 &&
         ::lstat(path.c_str(), &named) == 0 && named.st_dev == locked.st_dev &&
         named.st_ino == locked.st_ino;
}

// Removes the file that a process left behind.  Fails when its writer lives: then it holds the
// lock.
Result<void> remove_abandoned(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    return system_failure(path.string());
  }
  struct stat status{};
  Result<void> result;
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    result = failure(ErrorKind::InvalidInput, path.string() + ": in the way, and not a file");
  } else if (!has_lock_of(path, fd)) {
    result = failure(ErrorKind::System, path.string() + ": another process writes it");
  } else if (::unlink(path.c_str()) != 0) {
    result = system_failure(path.string());
  }
  ::close(fd);
  return result;
}

Result<void> sync_folder(const fs::path& file) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return system_failure(folder.string());
  }
  Result<void> result;
  // Some file systems know no fsync of a folder.
  if (::fsync(fd) != 0 && errno != EINVAL) {
    result = system_failure(folder.string());
  }
  ::close(fd);
  return result;
}

}  // namespace

FileReplacement::FileReplacement(fs::path path, fs::path temporary, int fd) noexcept
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}

FileReplacement::FileReplacement(FileReplacement&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::exchange(other.fd_, -1)) {}

FileReplacement::~FileReplacement() {
  // Unlinked under the lock, so that nobody else's file of that name can be meant.
  if (!temporary_.empty()) {
    ::unlink(temporary_.c_str());
  }
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

Result<FileReplacement> FileReplacement::start(fs::path path) {
  fs::path temporary = path;
  temporary += ".tmp";
  int fd = create(temporary);
  if (fd < 0 && errno == EEXIST) {
    if (const Result<void> removed = remove_abandoned(temporary); !removed) {
      return std::unexpected(removed.error());
    }
    fd = create(temporary);
  }
  if (fd < 0) {
    return system_failure(temporary.string());
  }
  // Until it is locked another process may have taken it for abandoned.
  if (!has_lock_of(temporary, fd)) {
    ::close(fd);
    return failure(ErrorKind::System, temporary.string() + ": another process writes it");
  }
  return FileReplacement(std::move(path), std::move(temporary), fd);
}

Result<void> FileReplacement::append(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) {
      return system_failure(temporary_.string());
    }
    bytes = bytes.subspan(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> FileReplacement::write_at(std::uint64_t offset, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno != EINTR) {
      return system_failure(temporary_.string());
    }
    const auto size = written < 0 ? 0 : static_cast<std::size_t>(written);
    bytes = bytes.subspan(size);
    offset += size;
  }
  return {};
}

Result<void> FileReplacement::commit() {
  if (::fsync(fd_) != 0) {
    return system_failure(temporary_.string());
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return system_failure(path_.string());
  }
  temporary_.clear();
  return sync_folder(path_);
}

}  // namespace waypost
