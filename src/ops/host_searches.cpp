#include "ops/host_searches.h"

#include "base/log.h"
#include "node/resolver_file.h"

#include <spdlog/fmt/fmt.h>

#include <utility>

namespace waypost::ops {

HostSearches::HostSearches(boost::asio::io_context& context, bool is_on, Use use)
    : is_on_(is_on), use_(std::move(use)), file_(context, [this] {
        if (take()) {
          use_(domains_);
          log::info("search domains of the hosts: {}", fmt::join(domains_, ", "));
        }
      }) {}

void HostSearches::configure(const CompletionConfig& config) {
  if (!is_on_) {
    return;
  }
  if (config.domains) {
    domains_ = *config.domains;
    problem_.clear();
  }
  file_.follow(config.domains ? std::vector<std::filesystem::path>()
                              : std::vector{config.resolv_conf});
  take();
  use_(domains_);
}

// True when the file's domains are others than before.  What cannot be read, perhaps for a moment
// while somebody writes it, counts as it last was.
bool HostSearches::take() {
  bool is_other = false;
  std::string problem;
  for (const FollowedFile& file : file_.files()) {  // One, or none.
    problem = file.problem;
    if (file.was_read) {
      auto read = node::parse_resolver_file(file.text);
      if (read) {
        is_other = std::exchange(domains_, read->searches) != read->searches;
      } else if (problem.empty()) {
        problem = file.path.string() + ": " + read.error().message;
      }
    }
  }
  tell(problem);
  return is_other;
}

void HostSearches::tell(const std::string& problem) {
  if (problem == std::exchange(problem_, problem)) {
    return;
  }
  if (problem.empty()) {
    log::info("the hosts' search domains can be read again");
  } else {
    log::warn("{}; the hosts' search domains stay as they were", problem);
  }
}

}  // namespace waypost::ops
