#include "ops/problem_log.h"

#include "base/log.h"

#include <string_view>
#include <unordered_set>

namespace waypost::ops {

Problems ProblemLog::update(const Problems& problems) {
  Problems fresh;
  std::unordered_set<std::string_view> before;
  for (const Error& problem : current_) {
    before.insert(problem.message);
  }
  for (const Error& problem : problems) {
    if (!before.contains(problem.message)) {
      log::error("{}", problem.message);
      fresh.push_back(problem);
    }
  }
  if (problems.empty() && !current_.empty()) {
    log::info("{}: all problems are mended", subject_);
  }
  current_ = problems;
  return fresh;
}

}  // namespace waypost::ops
