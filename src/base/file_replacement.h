// A file that is replaced as a whole or stays as it was, also when the machine stops half-way.

#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <cstdint>
#include <filesystem>

namespace waypost {

// What will stand at `path` grows in PATH.tmp beside it and takes its place with commit().  Every
// call may wait for the disk: use it on a thread that may.  One thread at a time; moving is free.
class FileReplacement {
 public:
  // Makes PATH.tmp, readable and writable for its owner only (0600).  It must not exist yet, except
  // as what a process left behind that has ended, which is removed; a symbolic link there is never
  // followed.  Fails when another process is at work on the same PATH.tmp.
  static Result<FileReplacement> start(std::filesystem::path path);

  // Removes PATH.tmp unless it was committed.
  ~FileReplacement();
  FileReplacement(FileReplacement&& other) noexcept;
  FileReplacement& operator=(FileReplacement&&) = delete;
  FileReplacement(const FileReplacement&) = delete;
  FileReplacement& operator=(const FileReplacement&) = delete;

  // Adds octets at the end.  After a failure only destruction is left.
  Result<void> append(Bytes bytes);

  // Puts octets at `offset`, for what is known only at the end.
  Result<void> write_at(std::uint64_t offset, Bytes bytes);

  // Brings the content to the disk (fsync), then puts it at `path` (rename), then the folder to the
  // disk.  After a failure the file at `path` is the old one, or, if only the folder could not be
  // written, the new one.
  Result<void> commit();

 private:
  FileReplacement(std::filesystem::path path, std::filesystem::path temporary, int fd) noexcept;

  std::filesystem::path path_;
  std::filesystem::path temporary_;  // Empty once it is renamed or moved from.
  int fd_;                           // -1: moved from.
};

}  // namespace waypost
