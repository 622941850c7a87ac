#include "ops/successor.h"

#include "base/spawn_settings.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

extern char** environ;

namespace waypost::ops {
namespace {

constexpr std::string_view Flag = "--takeover";

// As exec(3) finds it: by its path, or in PATH.
int spawn(const std::string& program, std::vector<std::string>& arguments, bool in_path,
          int& process) {
  const SpawnSettings settings;
  const auto start = in_path ? posix_spawnp : posix_spawn;
  return start(&process, program.c_str(), settings.actions(), settings.attributes(),
               pointers_to(arguments).data(), environ);
}

}  // namespace

std::vector<std::string> successor_arguments(std::vector<std::string> arguments) {
  if (std::find(arguments.begin(), arguments.end(), Flag) == arguments.end()) {
    arguments.emplace_back(Flag);
  }
  return arguments;
}

std::vector<std::string> arguments_of(std::string_view command_line) {
  std::vector<std::string> arguments;
  while (!command_line.empty()) {
    const std::size_t end = std::min(command_line.find('\0'), command_line.size());
    arguments.emplace_back(command_line.substr(0, end));
    command_line.remove_prefix(std::min(end + 1, command_line.size()));
  }
  return arguments;
}

Result<int> Successor::start() {
  Result<int> started = try_start();
  failures_ += started ? 0 : 1;
  return started;
}

Result<int> Successor::try_start() {
  if (getpid() == 1) {
    return failure(ErrorKind::Unsupported,
                   "found this process to be the first of its container (PID 1), with which a "
                   "successor would end; replace the Pod instead");
  }
  if (process_ != 0) {
    return failure(ErrorKind::Exhausted, "process " + std::to_string(process_) +
                                             " is about to take over, expected one at a time");
  }
  // Not by base/file.h, because a file there has no size.
  std::ifstream stream("/proc/self/cmdline", std::ios::binary);
  const std::string command_line{std::istreambuf_iterator<char>(stream), {}};
  if (command_line.empty()) {
    return failure(ErrorKind::System, "/proc/self/cmdline: cannot be read");
  }
  auto arguments = successor_arguments(arguments_of(command_line));
  int error = spawn(arguments.front(), arguments, true, process_);
  if (error == ENOENT) {
    error = spawn("/proc/self/exe", arguments, false, process_);
  }
  if (error != 0) {
    process_ = 0;
    return failure(ErrorKind::System,
                   arguments.front() + ": " + std::system_category().message(error));
  }
  return process_;
}

std::optional<std::string> Successor::ended() {
  int status = 0;
  if (process_ == 0 || waitpid(process_, &status, WNOHANG) != process_) {
    return std::nullopt;
  }
  const int process = std::exchange(process_, 0);
  ++failures_;
  return "process " + std::to_string(process) +
         (WIFEXITED(status) ? " has ended with " + std::to_string(WEXITSTATUS(status))
                            : " was ended by signal " + std::to_string(WTERMSIG(status)));
}

}  // namespace waypost::ops
