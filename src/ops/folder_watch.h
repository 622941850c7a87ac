// Tells when something in a folder changes, with inotify on the control thread's io_context.

#pragma once

#include "base/error.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <span>

namespace boost::asio {
class io_context;
}

namespace waypost::ops {

// Watches folders and single files' folders for edits, atomic renames, new and deleted files, and
// ConfigMap-style symlink swaps.  A burst of events becomes one call, 20 ms after its first.
//
// A folder may be deleted, renamed and made again, and may be a symlink that changes its target:
// what then stands at its path is watched.  Not seen: edits of files outside the folder that
// symlinks in it lead to, and changed symlinks above its parent.
class FolderWatch {
 public:
  // `changed` runs on `context`'s thread.  `context` is borrowed and outlives this object.
  FolderWatch(boost::asio::io_context& context, std::function<void()> changed);
  // No call of `changed` begins afterwards.
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  // Fails when the folder does not exist or the kernel's limit on watches is reached.
  Result<void> add(const std::filesystem::path& folder);
  // As add() for each, but one that does not exist is watched as soon as it does; of a failure the
  // log says that SIGHUP has to do.
  void follow(std::span<const std::filesystem::path> folders);

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace waypost::ops
