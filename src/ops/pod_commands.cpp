#include "ops/pod_commands.h"

#include "base/file.h"
#include "node/pod_dns.h"
#include "ops/env_command.h"
#include "ops/inject_command.h"
#include "ops/resolv_conf_command.h"

#include <array>
#include <cstdio>
#include <utility>

namespace waypost::ops {
namespace {

struct PodCommand {
  std::string_view name;
  CommandOutput (*run)(std::span<const char* const> arguments);
};
constexpr std::array PodCommands = {
    PodCommand{"resolv-conf", run_resolv_conf},
    PodCommand{"env", run_env},
    PodCommand{"inject", run_inject},
};

}  // namespace

std::optional<CommandOutput> run_pod_command(std::span<const char* const> arguments) {
  for (const PodCommand& command : PodCommands) {
    if (!arguments.empty() && arguments.front() == command.name) {
      return command.run(arguments.subspan(1));
    }
  }
  return std::nullopt;
}

std::vector<std::string_view> pod_command_names() {
  std::vector<std::string_view> names;
  for (const PodCommand& command : PodCommands) {
    names.push_back(command.name);
  }
  return names;
}

CommandOutput run_command(std::span<const char* const> arguments, std::string_view command,
                          std::string_view usage, std::span<const CommandFlag> flags,
                          CommandOutput (*run)(const GivenFlags& given)) {
  const auto line = parse_command_flags(arguments, command, usage, flags);
  if (!line) {
    return {.text = {}, .messages = line.error(), .code = 1};
  }
  if (const auto* help = std::get_if<PrintText>(&*line)) {
    return {.text = help->text, .messages = {}, .code = 0};
  }
  return run(GivenFlags(std::get<std::vector<Setting>>(*line)));
}

Error refused(std::string_view flag, std::string_view found, std::string_view expected) {
  return {ErrorKind::InvalidInput, "--" + std::string(flag) + ": found '" + std::string(found) +
                                       "', expected " + std::string(expected)};
}

CommandOutput failed(Error problem) {
  return {.text = {}, .messages = {std::move(problem)}, .code = 1};
}

Error warning(std::string_view text) {
  return {ErrorKind::InvalidInput, "warning: " + std::string(text)};
}

Result<std::string> read_input(const std::string& path) {
  if (path != "-") {
    return read_file(path);
  }
  std::string text;
  std::array<char, 65536> piece{};
  while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), stdin)) {
    text.append(piece.data(), size);
    if (text.size() > MaxFileSize) {
      return failure(ErrorKind::Exhausted,
                     "standard input: larger than " + std::to_string(MaxFileSize >> 20) + " MiB");
    }
  }
  return text;
}

const Setting* GivenFlags::find(std::string_view flag) const noexcept {
  for (const Setting& setting : settings_) {
    if (setting.key == flag) {
      return &setting;
    }
  }
  return nullptr;
}

std::string GivenFlags::text(std::string_view flag, std::string_view otherwise) const {
  const Setting* setting = find(flag);
  return setting == nullptr ? std::string(otherwise) : setting->values.front().text;
}

std::vector<std::string> GivenFlags::list(std::string_view flag) const {
  std::vector<std::string> values;
  if (const Setting* setting = find(flag)) {
    for (const SettingValue& value : setting->values) {
      values.push_back(value.text);
    }
  }
  return values;
}

Result<std::vector<IpAddress>> GivenFlags::addresses(std::string_view flag) const {
  std::vector<IpAddress> values;
  for (const std::string& text : list(flag)) {
    const auto address = IpAddress::from_text(text);
    if (!address) {
      return std::unexpected(refused(flag, text, node::NameserverRule));
    }
    values.push_back(*address);
  }
  return values;
}

Result<bool> GivenFlags::boolean(std::string_view flag, bool otherwise) const {
  const std::string value = text(flag, otherwise ? "true" : "false");
  if (value != "true" && value != "false") {
    return std::unexpected(refused(flag, value, "true or false"));
  }
  return value == "true";
}

std::string_view GivenFlags::first_of(std::span<const std::string_view> flags) const noexcept {
  for (const std::string_view flag : flags) {
    if (has(flag)) {
      return flag;
    }
  }
  return {};
}

}  // namespace waypost::ops
