// A file that is changed where it stands, and can be changed back: /etc/resolv.conf and its like.
//
// What is written takes the file's place as a whole (rename), with the old one's owner and mode,
// after what stood there went to a backup beside it.  A file that a mount put there, as a container
// runtime does, cannot be renamed over: it is written in place, which a reader may see half done.
// No symbolic link is ever followed, in no part of the path, and a file that changes in between is
// not overwritten.
//
// Not here: files of our own that need no backup (base/file_replacement.h).

#pragma once

#include "base/error.h"

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

namespace waypost {

// What statx(2) says of an open file.
struct FileFacts {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t changed_ns = 0;  // Time of the last change of the content, since 1970.
  mode_t mode = 0;
  uid_t owner = 0;
  gid_t group = 0;
  std::uint32_t links = 0;
  bool is_mount = false;  // Something is mounted right here; known since Linux 5.8.
};

// The system calls of an edit: each is one, returns what it returns, and sets errno.  Tests have
// them fail.
class FileCalls {
 public:
  FileCalls() = default;
  virtual ~FileCalls() = default;
  FileCalls(const FileCalls&) = delete;
  FileCalls& operator=(const FileCalls&) = delete;

  virtual int open_at(int folder, const char* name, int flags, mode_t mode) noexcept;
  virtual int describe(int fd, FileFacts& facts) noexcept;
  virtual ssize_t read(int fd, char* to, std::size_t size) noexcept;
  virtual ssize_t write_at(int fd, const char* from, std::size_t size, off_t offset) noexcept;
  virtual int truncate(int fd, off_t size) noexcept;
  virtual int set_owner(int fd, uid_t owner, gid_t group) noexcept;
  virtual int set_mode(int fd, mode_t mode) noexcept;
  virtual int lock(int fd) noexcept;  // Exclusively, without waiting (flock).
  virtual int sync(int fd) noexcept;
  virtual int rename_at(int from_folder, const char* from, int to_folder, const char* to) noexcept;
  virtual int unlink_at(int folder, const char* name) noexcept;
};

struct FileEdit {
  // The largest file that is read or written, in octets.
  static constexpr std::size_t MaxSize = std::size_t{10} << 20;

  std::filesystem::path path;
  std::filesystem::path backup;
  // Whether content is what an earlier edit wrote: that is not worth a backup, and may be reverted.
  bool (*is_own)(std::string_view content);
};

enum class FileEditOutcome : std::uint8_t {
  Unchanged,       // It is so already; nothing was written.
  Created,         // There was no file.
  Replaced,        // By a rename.
  WrittenInPlace,  // Because something is mounted there.
  Removed,         // It is gone, as before the edit that created it.
};

// Brings `content` to edit.path.  What stood there, unless it is own, is in edit.backup before
// anything else happens, in the place of an older backup.  Where there was no file, nor a backup,
// the backup is a line that says so.
//
// After a failure the file is as it was, but for these: when only the folder could not be brought
// to the disk, it is the new one; when writing in place failed, and then putting back what stood
// there as well, it is in pieces, and the message says so and names the backup.  A temporary file
// (PATH.waypost-tmp) that cannot be removed stays for the next edit to remove.  May wait for the
// disk.
Result<FileEditOutcome> edit_file(FileCalls& calls, const FileEdit& edit, std::string_view content);

// Puts back what the backup holds, or removes the file when there was none, and then removes the
// backup.  Unchanged: there is no backup, and what stands there is not own, or it is as the backup.
// Fails when somebody else changed the file since it was edited, and when an own file has no
// backup; nothing is changed then.
Result<FileEditOutcome> revert_file(FileCalls& calls, const FileEdit& edit);

}  // namespace waypost
