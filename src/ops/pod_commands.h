// The commands of `waypost` that are about one Pod.
//
// Not here: the others (ops/flags.h), what they compute (node/).

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "ops/config.h"
#include "ops/flags.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::ops {

// What a command leaves behind.
struct CommandOutput {
  std::string text;   // For standard output.
  Problems messages;  // For standard error: warnings, or why it failed.
  int code = 0;       // To exit with.
};

// Runs the command that the first argument names; nothing when it names none of these.  Reads
// standard input where a flag says so, and writes files where one says so.
std::optional<CommandOutput> run_pod_command(std::span<const char* const> arguments);

// Their names, in the order of --help.
std::vector<std::string_view> pod_command_names();

// ---- For the commands themselves ---------------------------------------------------------------

class GivenFlags;

// Reads the flags behind the name of `command` as parse_command_flags() does, and has `run` do the
// rest unless they cannot be read or ask for help.
CommandOutput run_command(std::span<const char* const> arguments, std::string_view command,
                          std::string_view usage, std::span<const CommandFlag> flags,
                          CommandOutput (*run)(const GivenFlags& given));

// "--FLAG: found 'FOUND', expected EXPECTED".
Error refused(std::string_view flag, std::string_view found, std::string_view expected);

// The command failed because of `problem`.
CommandOutput failed(Error problem);

// "warning: " and `text`.
Error warning(std::string_view text);

// Reads a file, or standard input when `path` is "-", up to MaxFileSize.
Result<std::string> read_input(const std::string& path);

// The flags that were given.  Texts are borrowed from the settings, which outlive this object.
class GivenFlags {
 public:
  explicit GivenFlags(const std::vector<Setting>& settings) noexcept : settings_(settings) {}

  bool has(std::string_view flag) const noexcept { return find(flag) != nullptr; }
  // The value of a flag that is no list; `otherwise` when it is not given.
  std::string text(std::string_view flag, std::string_view otherwise) const;
  // The values of a list; none when it is not given.
  std::vector<std::string> list(std::string_view flag) const;
  // The same, as addresses.
  Result<std::vector<IpAddress>> addresses(std::string_view flag) const;
  // `otherwise` when it is not given.  Fails for what is neither true nor false.
  Result<bool> boolean(std::string_view flag, bool otherwise = false) const;
  // The first of `flags` that was given; empty when none was.
  std::string_view first_of(std::span<const std::string_view> flags) const noexcept;

 private:
  const Setting* find(std::string_view flag) const noexcept;

  const std::vector<Setting>& settings_;
};

}  // namespace waypost::ops
