#include "ops/followed_files.h"

#include "base/file.h"

#include <algorithm>
#include <utility>

namespace waypost::ops {

FollowedFiles::FollowedFiles(boost::asio::io_context& context, std::function<void()> changed)
    : context_(context), changed_(std::move(changed)), next_look_(context) {}

void FollowedFiles::follow(const std::vector<std::filesystem::path>& paths) {
  std::vector<FollowedFile> before = std::exchange(files_, {});
  stop();
  if (paths.empty()) {
    return;
  }
  watch_.emplace(context_, [this] { on_look(); });
  for (const std::filesystem::path& path : paths) {
    const auto known =
        std::ranges::find_if(before, [&](const FollowedFile& each) { return each.path == path; });
    files_.push_back(known != before.end() ? std::move(*known) : FollowedFile{.path = path});
    // Where this fails, looking again has to do.
    [[maybe_unused]] const auto added = watch_->add(path.parent_path());
  }
  look();
  look_again();
}

void FollowedFiles::stop() {
  next_look_.cancel();
  watch_.reset();
}

void FollowedFiles::look_again() {
  next_look_.expires_after(LookInterval);
  next_look_.async_wait([this](const boost::system::error_code& error) {
    if (!error && watch_) {  // Otherwise stopped since it was due.
      on_look();
      look_again();
    }
  });
}

void FollowedFiles::on_look() {
  if (look()) {
    changed_();
  }
}

bool FollowedFiles::look() {
  bool is_other = false;
  for (FollowedFile& file : files_) {
    const std::optional<FileIdentity> identity = identify(file.path);
    if (identity && identity == file.identity) {
      continue;
    }
    auto text = read_file(file.path);
    std::string problem = text ? "" : text.error().message;
    if (text && (!file.was_read || *text != file.text)) {
      file.text = std::move(*text);
      file.was_read = true;
      is_other = true;
    }
    is_other = is_other || problem != file.problem;
    file.problem = std::move(problem);
    file.identity = text && identity && identity->is_settled() ? identity : std::nullopt;
  }
  return is_other;
}

}  // namespace waypost::ops
