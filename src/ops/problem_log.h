// Problems of one source of input, logged when they appear and when all of them have gone.

#pragma once

#include "ops/config.h"

#include <string>
#include <string_view>

namespace waypost::ops {

// Reading again and again what is still wrong must not fill the log.  Control thread only.
class ProblemLog {
 public:
  // `subject` begins the line that says that all is well again: "manifests".
  explicit ProblemLog(std::string_view subject) : subject_(subject) {}

  // Takes the problems of the latest reading.  Logs, as errors, those that the reading before did
  // not have, and says so once when none is left.  Returns those that are new.
  Problems update(const Problems& problems);

 private:
  std::string subject_;
  Problems current_;
};

}  // namespace waypost::ops
