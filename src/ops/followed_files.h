// Files of the host that are read again whenever they change: resolv.conf and its like.
//
// Not here: what they say (ops/forwarding.h, ops/host_searches.h), folders (ops/folder_watch.h).

#pragma once

#include "base/file_identity.h"
#include "ops/folder_watch.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace waypost::ops {

// A file as it was when it could last be read.  One that is gone, perhaps for a moment while
// somebody writes it, counts as it last was.
struct FollowedFile {
  std::filesystem::path path;
  std::string text;
  std::string problem;  // Why it cannot be read now; empty: it can.
  bool was_read = false;
  std::optional<FileIdentity> identity;  // Of what was read last; nothing: has to be read.
};

// Control thread only.
class FollowedFiles {
 public:
  // `context` is borrowed and outlives this object.  `changed` is called on its thread when a text
  // or a problem has become another, but not from follow().
  FollowedFiles(boost::asio::io_context& context, std::function<void()> changed);

  // Reads these, all absolute, and follows them from here on, also if they are not there yet.  What
  // is known of those that were followed before stays known.
  void follow(const std::vector<std::filesystem::path>& paths);
  // Looks at them now and reads those that may have changed; true when something has become
  // another.
  bool look();
  // No call begins afterwards.
  void stop();

  const std::vector<FollowedFile>& files() const noexcept { return files_; }

 private:
  // Without inotify: what is mounted over a file changes elsewhere.
  static constexpr std::chrono::seconds LookInterval{2};

  void look_again();
  void on_look();

  boost::asio::io_context& context_;
  const std::function<void()> changed_;
  std::vector<FollowedFile> files_;
  std::optional<FolderWatch> watch_;
  boost::asio::steady_timer next_look_;
};

}  // namespace waypost::ops
