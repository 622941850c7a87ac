#include "base/file_edit.h"

#include "base/owned_fd.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

namespace waypost {
namespace {

namespace fs = std::filesystem;

// A name in an open folder.
struct Place {
  OwnedFd folder;
  std::string name;
  std::string text;  // The whole path, for messages.
};

// A file as it was found.
struct Found {
  FileFacts facts;
  std::string content;
};

bool is_same(const FileFacts& left, const FileFacts& right) noexcept {
  return left.device == right.device && left.inode == right.inode && left.size == right.size &&
         left.changed_ns == right.changed_ns;
}

Error link_error(const std::string& path) {
  return {ErrorKind::InvalidInput,
          path + ": is a symbolic link, and none is followed; name the file that it leads to"};
}

class Editor {
 public:
  explicit Editor(FileCalls& calls) noexcept : calls_(calls) {}

  Result<Place> find_place(const fs::path& path);
  Result<std::optional<Found>> read_file(const Place& place);
  // Makes `content` the file at `place`, where `before` was found, with the owner and the mode of
  // `like`.
  Result<FileEditOutcome> put(const Place& place, const std::optional<Found>& before,
                              const std::optional<FileFacts>& like, std::string_view content);
  Result<void> replace(const Place& place, const std::optional<FileFacts>& before, bool must_match,
                       const std::optional<FileFacts>& like, std::string_view content);
  Result<void> remove(const Place& place);

 private:
  Result<OwnedFd> create(const Place& place, const std::string& temporary);
  bool has_lock_of(const Place& place, const std::string& temporary, int fd);
  Result<void> remove_abandoned(const Place& place, const std::string& temporary);
  Result<void> fill(const std::string& name, int fd, const std::optional<FileFacts>& like,
                    std::string_view content);
  Result<void> write_all(const std::string& name, int fd, std::string_view content);
  Result<void> expect(const Place& place, const std::optional<FileFacts>& before);
  Result<void> write_in_place(const Place& place, const Found& before, std::string_view content);

  FileCalls& calls_;
};

Result<Place> Editor::find_place(const fs::path& path) {
  if (!path.has_filename() || path.filename() == "." || path.filename() == "..") {
    return failure(ErrorKind::InvalidInput, "'" + path.string() + "': found no name of a file");
  }
  constexpr int Flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  fs::path walked = path.is_absolute() ? "/" : ".";
  OwnedFd folder(calls_.open_at(AT_FDCWD, walked.c_str(), O_PATH | Flags, 0));
  const auto refused = [&] {
    return system_failure(path.string() + ": the folder " + walked.string());
  };
  if (!folder.is_open()) {
    return refused();
  }
  for (const fs::path& part : path.parent_path().relative_path()) {
    walked /= part;
    if (part.empty()) {
      continue;
    }
    OwnedFd next(calls_.open_at(folder.get(), part.c_str(), O_PATH | Flags, 0));
    if (!next.is_open()) {
      if (errno == ENOTDIR || errno == ELOOP) {
        return failure(ErrorKind::InvalidInput,
                       path.string() + ": " + walked.string() +
                           " is not a folder, or a symbolic link, and none is followed; name the "
                           "folder that it leads to");
      }
      return refused();
    }
    folder = std::move(next);
  }
  // One that can be synced.
  OwnedFd readable(calls_.open_at(folder.get(), ".", O_RDONLY | Flags, 0));
  if (!readable.is_open()) {
    return refused();
  }
  return Place{std::move(readable), path.filename().string(), path.string()};
}

Result<std::optional<Found>> Editor::read_file(const Place& place) {
  // Without waiting for a pipe's other end.
  const OwnedFd file(calls_.open_at(place.folder.get(), place.name.c_str(),
                                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0));
  if (!file.is_open()) {
    if (errno == ENOENT) {
      return std::nullopt;
    }
    if (errno == ELOOP) {
      return std::unexpected(link_error(place.text));
    }
    return system_failure(place.text);
  }
  Found found;
  if (calls_.describe(file.get(), found.facts) != 0) {
    return system_failure(place.text);
  }
  if (!S_ISREG(found.facts.mode)) {
    return failure(ErrorKind::InvalidInput, place.text + ": is not a regular file");
  }
  std::array<char, 4096> piece{};
  for (;;) {
    const ssize_t size = calls_.read(file.get(), piece.data(), piece.size());
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size < 0) {
      return system_failure(place.text);
    }
    if (size == 0) {
      return found;
    }
    found.content.append(piece.data(), static_cast<std::size_t>(size));
    if (found.content.size() > FileEdit::MaxSize) {
      return failure(ErrorKind::Exhausted, place.text + ": is larger than " +
                                               std::to_string(FileEdit::MaxSize >> 20) + " MiB");
    }
  }
}

Result<void> Editor::remove_abandoned(const Place& place, const std::string& temporary) {
  const OwnedFd file(calls_.open_at(place.folder.get(), temporary.c_str(),
                                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0));
  FileFacts facts;
  if (!file.is_open() || calls_.describe(file.get(), facts) != 0 || !S_ISREG(facts.mode)) {
    return failure(ErrorKind::InvalidInput,
                   place.text + ": '" + temporary + "' is in the way beside it, and not a file");
  }
  if (!has_lock_of(place, temporary, file.get())) {
    return failure(ErrorKind::System, place.text + ": another process edits it");
  }
  if (calls_.unlink_at(place.folder.get(), temporary.c_str()) != 0) {
    return system_failure(temporary);
  }
  return {};
}

// Locks an open file, and makes sure that the name is still this file's.  Only who has the lock
// renames or removes the file of that name, so that it stays so.
bool Editor::has_lock_of(const Place& place, const std::string& temporary, int fd) {
  FileFacts locked;
  FileFacts named;
  if (calls_.lock(fd) != 0 || calls_.describe(fd, locked) != 0) {
    return false;
  }
  const OwnedFd name(
      calls_.open_at(place.folder.get(), temporary.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC, 0));
  return name.is_open() && calls_.describe(name.get(), named) == 0 &&
         named.device == locked.device && named.inode == locked.inode;
}

// The file is locked.
Result<OwnedFd> Editor::create(const Place& place, const std::string& temporary) {
  const auto open = [&] {
    return OwnedFd(calls_.open_at(place.folder.get(), temporary.c_str(),
                                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  };
  OwnedFd file = open();
  if (!file.is_open() && errno == EEXIST) {
    if (const Result<void> removed = remove_abandoned(place, temporary); !removed) {
      return std::unexpected(removed.error());
    }
    file = open();
  }
  if (!file.is_open()) {
    return system_failure(place.text + ": cannot make '" + temporary + "' beside it");
  }
  // Until now another editor may have taken it for abandoned.
  if (!has_lock_of(place, temporary, file.get())) {
    return failure(ErrorKind::System, place.text + ": another process edits it");
  }
  return file;
}

Result<void> Editor::write_all(const std::string& name, int fd, std::string_view content) {
  std::size_t at = 0;
  while (at < content.size()) {
    const ssize_t size =
        calls_.write_at(fd, content.data() + at, content.size() - at, static_cast<off_t>(at));
    if (size < 0 && errno != EINTR) {
      return system_failure(name);
    }
    at += size < 0 ? 0 : static_cast<std::size_t>(size);
  }
  return {};
}

Result<void> Editor::fill(const std::string& name, int fd, const std::optional<FileFacts>& like,
                          std::string_view content) {
  if (const Result<void> written = write_all(name, fd, content); !written) {
    return written;
  }
  FileFacts own;
  if (calls_.describe(fd, own) != 0) {
    return system_failure(name);
  }
  if (like && (like->owner != own.owner || like->group != own.group) &&
      calls_.set_owner(fd, like->owner, like->group) != 0) {
    return system_failure(name + ": cannot give it the owner of the file that it replaces");
  }
  if (calls_.set_mode(fd, like ? like->mode & 07777U : 0644U) != 0) {
    return system_failure(name);
  }
  if (calls_.sync(fd) != 0) {
    return system_failure(name);
  }
  return {};
}

// Makes sure that what stands at `place` is still what was found there.
Result<void> Editor::expect(const Place& place, const std::optional<FileFacts>& before) {
  const OwnedFd file(
      calls_.open_at(place.folder.get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC, 0));
  if (!file.is_open() && errno != ENOENT) {
    return system_failure(place.text);
  }
  FileFacts now;
  if (file.is_open() && calls_.describe(file.get(), now) != 0) {
    return system_failure(place.text);
  }
  if (file.is_open() != before.has_value() || (before && !is_same(now, *before))) {
    return failure(ErrorKind::System,
                   place.text +
                       ": was changed by somebody else at the same time; nothing is "
                       "written");
  }
  return {};
}

Result<void> Editor::replace(const Place& place, const std::optional<FileFacts>& before,
                             bool must_match, const std::optional<FileFacts>& like,
                             std::string_view content) {
  const std::string temporary = place.name + ".waypost-tmp";
  const Result<OwnedFd> file = create(place, temporary);
  if (!file) {
    return std::unexpected(file.error());
  }
  Result<void> result = fill(place.text, file->get(), like, content);
  if (result && must_match) {
    result = expect(place, before);
  }
  if (result && calls_.rename_at(place.folder.get(), temporary.c_str(), place.folder.get(),
                                 place.name.c_str()) != 0) {
    result = errno == EBUSY ? failure(ErrorKind::Unsupported, place.text + ": is a mount")
                            : system_failure(place.text);
  }
  if (!result) {
    // Under the lock, so that nobody else's file of that name can be meant.
    calls_.unlink_at(place.folder.get(), temporary.c_str());
    return result;
  }
  // Some file systems know no fsync of a folder.
  if (calls_.sync(place.folder.get()) != 0 && errno != EINVAL) {
    return system_failure(place.text +
                          ": is written, but its folder cannot be brought to the disk");
  }
  return {};
}

Result<void> Editor::write_in_place(const Place& place, const Found& before,
                                    std::string_view content) {
  const OwnedFd file(calls_.open_at(place.folder.get(), place.name.c_str(),
                                    O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0));
  if (!file.is_open()) {
    return errno == ELOOP ? std::unexpected(link_error(place.text)) : system_failure(place.text);
  }
  FileFacts now;
  if (calls_.describe(file.get(), now) != 0) {
    return system_failure(place.text);
  }
  if (!is_same(now, before.facts)) {
    return failure(ErrorKind::System,
                   place.text +
                       ": was changed by somebody else at the same time; nothing is "
                       "written");
  }
  if (now.links > 1) {
    return failure(ErrorKind::InvalidInput, place.text + ": has " + std::to_string(now.links) +
                                                " names, and all of them would change");
  }
  if (calls_.lock(file.get()) != 0) {
    return failure(ErrorKind::System, place.text + ": another process edits it");
  }
  // First the octets, then the length: in between a reader sees the end of the old file behind the
  // new one, rather than an empty one.
  const auto overwrite = [&](std::string_view with) -> Result<void> {
    if (Result<void> written = write_all(place.text, file.get(), with); !written) {
      return written;
    }
    if (calls_.truncate(file.get(), static_cast<off_t>(with.size())) != 0 ||
        calls_.sync(file.get()) != 0) {
      return system_failure(place.text);
    }
    return {};
  };
  Result<void> result = overwrite(content);
  if (!result && !overwrite(before.content)) {
    result.error().message += "; and what stood there cannot be put back, the file is in pieces";
  }
  return result;
}

Result<FileEditOutcome> Editor::put(const Place& place, const std::optional<Found>& before,
                                    const std::optional<FileFacts>& like,
                                    std::string_view content) {
  if (!before || !before->facts.is_mount) {
    const auto facts = before ? std::optional(before->facts) : std::nullopt;
    const Result<void> replaced = replace(place, facts, true, like, content);
    if (replaced) {
      return before ? FileEditOutcome::Replaced : FileEditOutcome::Created;
    }
    if (replaced.error().kind != ErrorKind::Unsupported || !before) {
      return std::unexpected(replaced.error());
    }
  }
  if (Result<void> written = write_in_place(place, *before, content); !written) {
    return std::unexpected(std::move(written.error()));
  }
  return FileEditOutcome::WrittenInPlace;
}

Result<void> Editor::remove(const Place& place) {
  if (calls_.unlink_at(place.folder.get(), place.name.c_str()) != 0) {
    return system_failure(place.text);
  }
  if (calls_.sync(place.folder.get()) != 0 && errno != EINVAL) {
    return system_failure(place.text);
  }
  return {};
}

// What the backup holds of a file that was not there: a comment where such files have comments.
constexpr std::string_view NoFile = "# There was no file.\n";

// The two files of an edit as they are found.
struct Both {
  Place place;
  Place backup_place;
  std::optional<Found> file;
  std::optional<Found> backup;
};

Result<Both> look(Editor& editor, const FileEdit& edit) {
  auto place = editor.find_place(edit.path);
  if (!place) {
    return std::unexpected(std::move(place.error()));
  }
  auto backup_place = editor.find_place(edit.backup);
  if (!backup_place) {
    return std::unexpected(std::move(backup_place.error()));
  }
  auto file = editor.read_file(*place);
  if (!file) {
    return std::unexpected(std::move(file.error()));
  }
  auto backup = editor.read_file(*backup_place);
  if (!backup) {
    return std::unexpected(std::move(backup.error()));
  }
  return Both{std::move(*place), std::move(*backup_place), std::move(*file), std::move(*backup)};
}

}  // namespace

Result<FileEditOutcome> edit_file(FileCalls& calls, const FileEdit& edit,
                                  std::string_view content) {
  Editor editor(calls);
  const auto found = look(editor, edit);
  if (!found) {
    return std::unexpected(found.error());
  }
  if (content.size() > FileEdit::MaxSize) {
    return failure(ErrorKind::Exhausted, edit.path.string() + ": would be larger than " +
                                             std::to_string(FileEdit::MaxSize >> 20) + " MiB");
  }
  const std::optional<Found>& file = found->file;
  if (file && file->content == content) {
    return FileEditOutcome::Unchanged;
  }
  const auto like = file ? std::optional(file->facts) : std::nullopt;
  const bool is_saved = file ? !edit.is_own(file->content) : !found->backup;
  if (is_saved) {
    const std::string_view kept = file ? std::string_view(file->content) : NoFile;
    if (auto saved = editor.replace(found->backup_place, std::nullopt, false, like, kept); !saved) {
      return std::unexpected(with_context(std::move(saved.error()), "no backup can be made"));
    }
  }
  auto done = editor.put(found->place, file, like, content);
  if (!done && ((file && is_saved) || found->backup)) {
    done.error().message += "; its backup is " + edit.backup.string();
  }
  return done;
}

Result<FileEditOutcome> revert_file(FileCalls& calls, const FileEdit& edit) {
  Editor editor(calls);
  const auto found = look(editor, edit);
  if (!found) {
    return std::unexpected(found.error());
  }
  const std::optional<Found>& file = found->file;
  const bool is_own = file && edit.is_own(file->content);
  if (!found->backup) {
    if (is_own) {
      return failure(ErrorKind::NotFound,
                     edit.path.string() + ": has no backup; expected " + edit.backup.string());
    }
    return FileEditOutcome::Unchanged;
  }
  const bool had_none = found->backup->content == NoFile;
  const bool is_reverted = had_none ? !file : file && file->content == found->backup->content;
  if (file && !is_own && !is_reverted) {
    return failure(ErrorKind::InvalidInput,
                   edit.path.string() +
                       ": was changed by somebody else since it was written; what "
                       "stood there before is in " +
                       edit.backup.string());
  }
  Result<FileEditOutcome> done = FileEditOutcome::Unchanged;
  if (!is_reverted && had_none) {
    if (auto removed = editor.remove(found->place); !removed) {
      return std::unexpected(std::move(removed.error()));
    }
    done = FileEditOutcome::Removed;
  } else if (!is_reverted) {
    done = editor.put(found->place, file, found->backup->facts, found->backup->content);
    if (!done) {
      return done;
    }
  }
  if (auto removed = editor.remove(found->backup_place); !removed) {
    return std::unexpected(std::move(removed.error()));
  }
  return done;
}

// ---- The system calls ---------------------------------------------------------------------------

int FileCalls::open_at(int folder, const char* name, int flags, mode_t mode) noexcept {
  return ::openat(folder, name, flags, mode);
}

int FileCalls::describe(int fd, FileFacts& facts) noexcept {
  struct statx status{};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &status) != 0) {
    return -1;
  }
  constexpr std::int64_t NsPerSecond = 1'000'000'000;
  facts.device = (std::uint64_t{status.stx_dev_major} << 32) | status.stx_dev_minor;
  facts.inode = status.stx_ino;
  facts.size = status.stx_size;
  facts.changed_ns = status.stx_mtime.tv_sec * NsPerSecond + status.stx_mtime.tv_nsec;
  facts.mode = status.stx_mode;
  facts.owner = status.stx_uid;
  facts.group = status.stx_gid;
  facts.links = status.stx_nlink;
  facts.is_mount = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  return 0;
}

ssize_t FileCalls::read(int fd, char* to, std::size_t size) noexcept {
  return ::read(fd, to, size);
}

ssize_t FileCalls::write_at(int fd, const char* from, std::size_t size, off_t offset) noexcept {
  return ::pwrite(fd, from, size, offset);
}

int FileCalls::truncate(int fd, off_t size) noexcept {
  return ::ftruncate(fd, size);
}

int FileCalls::set_owner(int fd, uid_t owner, gid_t group) noexcept {
  return ::fchown(fd, owner, group);
}

int FileCalls::set_mode(int fd, mode_t mode) noexcept {
  return ::fchmod(fd, mode);
}

int FileCalls::lock(int fd) noexcept {
  return ::flock(fd, LOCK_EX | LOCK_NB);
}

int FileCalls::sync(int fd) noexcept {
  return ::fsync(fd);
}

int FileCalls::rename_at(int from_folder, const char* from, int to_folder,
                         const char* to) noexcept {
  return ::renameat(from_folder, from, to_folder, to);
}

int FileCalls::unlink_at(int folder, const char* name) noexcept {
  return ::unlinkat(folder, name, 0);
}

}  // namespace waypost
