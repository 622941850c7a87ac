#include "ops/host_searches.h"

#include "base/file.h"
#include "base/log.h"
#include "node/resolver_file.h"

#include <utility>

namespace waypost::ops {

HostSearches::HostSearches(boost::asio::io_context& context, std::function<void()> changed)
    : context_(context), changed_(std::move(changed)), next_look_(context) {}

void HostSearches::configure(const CompletionConfig& config) {
  const std::filesystem::path path =
      config.is_on && !config.domains ? config.resolv_conf : std::filesystem::path();
  if (config.domains) {
    domains_ = *config.domains;
  }
  if (path != path_) {
    path_ = path;
    problem_.clear();
    watch_.reset();
    if (!path_.empty()) {
      watch_.emplace(context_, [this] {
        if (look()) {
          changed_();
        }
      });
      // Where this fails, looking again has to do.
      [[maybe_unused]] const auto added = watch_->add(path_.parent_path());
    }
    look_again();
  }
  look();
}

void HostSearches::look_again() {
  if (path_.empty()) {
    next_look_.cancel();
    return;
  }
  next_look_.expires_after(LookInterval);
  next_look_.async_wait([this](const boost::system::error_code& error) {
    if (error) {
      return;
    }
    if (look()) {
      changed_();
    }
    look_again();
  });
}

// Reads the file; true when its domains are others than before.  One that is gone or broken,
// perhaps for a moment while somebody writes it, counts as it last was.
bool HostSearches::look() {
  if (path_.empty()) {
    return false;
  }
  const auto text = read_file(path_);
  auto read = text ? node::parse_resolver_file(*text) : std::unexpected(text.error());
  std::string problem;
  if (!read) {
    problem = (text ? path_.string() + ": " : "") + read.error().message +
              "; the hosts' search domains stay as they were";
  }
  if (problem != std::exchange(problem_, problem) && !problem.empty()) {
    log::warn("{}", problem);
  }
  return read && std::exchange(domains_, read->searches) != read->searches;
}

}  // namespace waypost::ops
