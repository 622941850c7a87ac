// The next process of this program: started with the arguments of this one and --takeover.
//
// Not here: what passes between the two (ops/takeover.h).

#pragma once

#include "base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::ops {

// What a successor is started with, when this process was started with `arguments`.
std::vector<std::string> successor_arguments(std::vector<std::string> arguments);

// Takes a command line as /proc/PID/cmdline has it apart: each argument ends with a null octet.
std::vector<std::string> arguments_of(std::string_view command_line);

// Control thread only.
class Successor {
 public:
  // Starts the program that this process was started as, by the same name, so that an upgraded file
  // is taken; when that is gone, the file that this process runs.  Returns its number.  It has no
  // open files of this process but stdin, stdout and stderr.  Fails in a process that ends its
  // container with it (PID 1), and while another one is there.
  Result<int> start();

  // What became of it, once it has ended.  To be asked now and then.
  std::optional<std::string> ended();
  // How many could not be started, or have ended.
  std::uint64_t failures() const noexcept { return failures_; }

 private:
  Result<int> try_start();

  int process_ = 0;  // 0: there is none.
  std::uint64_t failures_ = 0;
};

}  // namespace waypost::ops
