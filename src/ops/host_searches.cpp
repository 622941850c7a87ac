#include "ops/host_searches.h"

#include "base/log.h"
#include "node/resolver_file.h"

#include <utility>

namespace waypost::ops {

HostSearches::HostSearches(boost::asio::io_context& context, std::function<void()> changed)
    : file_(context, [this, changed = std::move(changed)] {
        if (take()) {
          changed();
        }
      }) {}

void HostSearches::configure(const CompletionConfig& config) {
  if (config.domains) {
    domains_ = *config.domains;
  }
  const bool counts = config.is_on && !config.domains;
  file_.follow(counts ? std::vector{config.resolv_conf} : std::vector<std::filesystem::path>());
  take();
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
  if (problem != std::exchange(problem_, problem) && !problem.empty()) {
    log::warn("{}; the hosts' search domains stay as they were", problem);
  }
  return is_other;
}

}  // namespace waypost::ops
