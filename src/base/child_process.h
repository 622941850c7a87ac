// Runs another program and collects what it says, without a shell and without blocking.

#pragma once

#include "base/error.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waypost {

struct ChildCommand {
  // The program and its arguments.  A program without a slash is looked for in PATH.
  std::vector<std::string> arguments;
  // Variables that the program has besides those of this process, or instead of them.
  std::vector<std::pair<std::string, std::string>> environment;
  // What the program reads; null means nothing.
  std::shared_ptr<const std::string> input = {};
  // Takes stdout as it comes, instead of ChildResult::output.
  std::function<void(std::string_view)> take_output = {};
  std::size_t max_output = std::size_t{1} << 20;  // Octets of stdout; more is a failure.
  std::size_t kept_errors = 2048;  // Octets of stderr that are kept; more is dropped.
  std::chrono::milliseconds time_limit{30'000};
};

struct ChildResult {
  int exit_status = 0;  // Meaningful when signal is 0.
  int signal = 0;       // What ended the program, or 0.
  std::string output;   // stdout.
  std::string errors;   // The beginning of stderr.
};

// Runs `command` to its end.  It has no open files of this process but its input and output, its
// signals are as a shell would set them, and it leads a process group of its own.  It is over when
// the program itself has ended, whatever it leaves running and however much input is left.
//
// Fails with NotFound when there is no such program, with Exhausted at the time limit or at
// max_output, with System when it cannot be started.  The group of a program that is not waited for
// to its end, because of a failure or because the coroutine is destroyed, is killed.  A failure's
// message holds nothing that the program wrote.
boost::asio::awaitable<Result<ChildResult>> run_child(ChildCommand command);

}  // namespace waypost
