#include "ops/problem_log.h"

#include "base/log.h"

#include <algorithm>

namespace waypost::ops {

Problems ProblemLog::update(const Problems& problems) {
  Problems fresh;
  for (const Error& problem : problems) {
    const bool known = std::any_of(current_.begin(), current_.end(), [&](const Error& other) {
      return other.message == problem.message;
    });
    if (!known) {
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
