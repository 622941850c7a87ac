#include "ops/folder_watch.h"

#include "base/log.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

// How long a burst may last until it is told.
constexpr std::chrono::milliseconds BurstTime{20};
// How often a folder that has gone, perhaps with its parent, is looked for.
constexpr std::chrono::seconds SearchInterval{1};

// What changes names in a folder, and what changes its files.
constexpr std::uint32_t NameEvents = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
constexpr std::uint32_t FileEvents =
    NameEvents | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

fs::path absolute_path(const fs::path& folder) {
  std::error_code ignored;
  const fs::path path = fs::absolute(folder, ignored).lexically_normal();
  return path.has_filename() ? path : path.parent_path();  // Without a final slash.
}

}  // namespace

class FolderWatch::State : public std::enable_shared_from_this<State> {
 public:
  State(asio::io_context& context, std::function<void()> changed)
      : inotify_(context), burst_(context), search_(context), changed_(std::move(changed)) {}

  // One that is `awaited` may come later.
  Result<void> add(const fs::path& folder, bool awaited);
  void stop();

 private:
  // Why a folder is watched: for all that happens in it, or for some names in it.
  struct Watch {
    bool is_whole = false;
    std::set<std::string> names;
  };

  Result<void> open();
  Result<void> watch(const fs::path& folder);
  void watch_all();
  void wait();
  void read();
  // Takes in one event; true when the watches no longer fit what stands at the paths.
  bool handle(const inotify_event& event, std::string_view name);
  void note_change();

  asio::posix::stream_descriptor inotify_;
  asio::steady_timer burst_;
  asio::steady_timer search_;
  std::function<void()> changed_;
  std::vector<fs::path> folders_;
  std::map<int, Watch> watches_;  // By inotify's watch descriptor.
  std::set<fs::path> announced_;  // Whose parents tell when they come.
  bool noted_ = false;            // `changed_` is about to be called.
  bool stopped_ = false;
};

Result<void> FolderWatch::State::add(const fs::path& folder, bool awaited) {
  if (!inotify_.is_open()) {
    if (Result<void> opened = open(); !opened) {
      return opened;
    }
  }
  fs::path path = absolute_path(folder);
  Result<void> watched = watch(path);
  const bool is_absent = !watched && watched.error().kind == ErrorKind::NotFound;
  if (watched || (awaited && is_absent)) {
    folders_.push_back(std::move(path));
  }
  if (awaited && is_absent) {
    if (!announced_.contains(folders_.back())) {
      watch_all();  // Which begins to look for it.
    }
    return {};
  }
  return watched;
}

void FolderWatch::State::stop() {
  stopped_ = true;
  boost::system::error_code ignored;
  inotify_.close(ignored);
  burst_.cancel();
  search_.cancel();
}

Result<void> FolderWatch::State::open() {
  const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) {
    return system_failure("cannot watch folders");
  }
  boost::system::error_code error;
  inotify_.assign(fd, error);
  if (error) {
    close(fd);
    return failure(ErrorKind::System, "cannot watch folders: " + error.message());
  }
  wait();
  return {};
}

// Watches the folder for its content, and its parent for what becomes of the folder's own name.
Result<void> FolderWatch::State::watch(const fs::path& folder) {
  const int fd = inotify_.native_handle();
  const int parent =
      inotify_add_watch(fd, folder.parent_path().c_str(), NameEvents | IN_ONLYDIR | IN_MASK_ADD);
  if (parent >= 0 && folder.has_filename()) {
    watches_[parent].names.insert(folder.filename().string());
    std::error_code ignored;
    if (!fs::is_symlink(folder, ignored)) {  // What a link leads to comes elsewhere.
      announced_.insert(folder);
    }
  }
  const int whole = inotify_add_watch(fd, folder.c_str(), FileEvents | IN_ONLYDIR | IN_MASK_ADD);
  if (whole < 0) {
    if (errno == ENOSPC) {
      return failure(
          ErrorKind::Exhausted,
          "cannot watch " + folder.string() + ": the limit fs.inotify.max_user_watches is reached");
    }
    return system_failure("cannot watch " + folder.string());
  }
  watches_[whole].is_whole = true;
  return {};
}

void FolderWatch::State::watch_all() {
  const std::map<int, Watch> before = std::exchange(watches_, {});
  announced_.clear();
  bool is_complete = true;
  for (const fs::path& folder : folders_) {
    const Result<void> watched = watch(folder);
    const bool will_be_told =
        !watched && watched.error().kind == ErrorKind::NotFound && announced_.contains(folder);
    is_complete = is_complete && (watched || will_be_told);
  }
  for (const auto& [descriptor, watch] : before) {
    if (!watches_.contains(descriptor)) {
      inotify_rm_watch(inotify_.native_handle(), descriptor);
    }
  }
  if (is_complete) {
    search_.cancel();
    return;
  }
  search_.expires_after(SearchInterval);
  search_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error && !self->stopped_) {
      self->note_change();
      self->watch_all();
    }
  });
}

void FolderWatch::State::wait() {
  inotify_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this()](const boost::system::error_code& error) {
                        if (!error && !self->stopped_) {
                          self->read();
                          self->wait();
                        }
                      });
}

void FolderWatch::State::read() {
  alignas(inotify_event) std::array<std::byte, 16384> buffer;
  bool is_outdated = false;
  for (;;) {
    const ssize_t size = ::read(inotify_.native_handle(), buffer.data(), buffer.size());
    if (size <= 0) {
      break;
    }
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      const auto& event = reinterpret_cast<const inotify_event&>(buffer[at]);
      // The name is padded with zeros.
      const std::string_view name = event.len == 0 ? "" : reinterpret_cast<const char*>(&event + 1);
      is_outdated = handle(event, name) || is_outdated;
      at += sizeof event + event.len;
    }
  }
  if (is_outdated) {
    watch_all();
  }
}

bool FolderWatch::State::handle(const inotify_event& event, std::string_view name) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {  // Events were lost: anything may have happened.
    note_change();
    return true;
  }
  const auto at = watches_.find(event.wd);
  if (at == watches_.end()) {
    return false;  // Late news from a watch that was given up.
  }
  const bool is_gone = (event.mask & IN_IGNORED) != 0;
  const bool is_moved = at->second.names.contains(std::string(name));
  if (at->second.is_whole || is_moved || is_gone) {
    note_change();
  }
  return is_moved || is_gone;
}

void FolderWatch::State::note_change() {
  if (std::exchange(noted_, true)) {
    return;
  }
  burst_.expires_after(BurstTime);
  burst_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error && !self->stopped_) {
      self->noted_ = false;
      self->changed_();
    }
  });
}

FolderWatch::FolderWatch(asio::io_context& context, std::function<void()> changed)
    : state_(std::make_shared<State>(context, std::move(changed))) {}

FolderWatch::~FolderWatch() {
  state_->stop();
}

Result<void> FolderWatch::add(const fs::path& folder) {
  return state_->add(folder, false);
}

void FolderWatch::follow(std::span<const fs::path> folders) {
  for (const fs::path& folder : folders) {
    if (const Result<void> added = state_->add(folder, true); !added) {
      log::warn("{}; its changes are seen on SIGHUP only", added.error().message);
    }
  }
}

}  // namespace waypost::ops
