#include "proxy/iptables.h"

#include "base/child_process.h"
#include "proxy/table_fingerprint.h"

#include <charconv>
#include <utility>
#include <vector>

namespace waypost::proxy {
namespace {

namespace asio = boost::asio;

// iptables(8): 4 is a "resource problem", among them a lock that is not to be had, and kernel
// errors of the nft backend.
constexpr int ExitResourceProblem = 4;
constexpr std::string_view LockComplaint = "holding the xtables lock";

// The number behind the first `word` of the text, or 0.
std::size_t number_after(std::string_view text, std::string_view word) {
  std::size_t number = 0;
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const char* begin = text.data() + at + word.size();
    if (std::from_chars(begin, text.data() + text.size(), number).ec == std::errc()) {
      return number;
    }
  }
  return 0;
}

// One line, fit for a log.
std::string on_one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != '\n') {
      out += c;
    } else if (!out.empty() && !out.ends_with("; ")) {
      out += "; ";
    }
  }
  while (out.ends_with("; ")) {
    out.resize(out.size() - 2);
  }
  return out;
}

asio::awaitable<Result<void>> run_save(std::vector<std::string> arguments,
                                       std::function<void(std::string_view)> take) {
  ChildCommand command;
  const std::string name = arguments.front();
  command.arguments = std::move(arguments);
  command.take_output = std::move(take);
  command.max_output = MaxSavedText;
  command.time_limit = ProgramTimeLimit;
  const Result<ChildResult> done = co_await run_child(std::move(command));
  if (!done) {
    co_return std::unexpected(done.error());
  }
  if (done->signal != 0 || done->exit_status != 0) {
    co_return failure(ErrorKind::System, name + ": " + on_one_line(done->errors));
  }
  co_return Result<void>();
}

}  // namespace

std::string_view to_text(Backend backend) noexcept {
  return backend == Backend::Nft ? "iptables-nft" : "iptables-legacy";
}

std::string program_name(Backend backend, kube::IpFamily family, std::string_view action) {
  std::string name = family == kube::IpFamily::V4 ? "iptables" : "ip6tables";
  name += backend == Backend::Nft ? "-nft-" : "-legacy-";
  return name.append(action);
}

RestoreFailure read_restore_failure(int exit_status, std::string_view errors) {
  RestoreFailure result;
  result.message = on_one_line(errors);
  if (exit_status == ExitResourceProblem && errors.find(LockComplaint) != std::string_view::npos) {
    result.kind = RestoreFailure::Kind::LockBusy;
    return result;
  }
  result.kind = RestoreFailure::Kind::Refused;
  // Three spellings: "Error occurred at line: 3" (while reading), "line 4 failed" (legacy, and nft
  // for an index or a chain that is not there), "line 5: RULE_APPEND failed" (nft, by the kernel).
  result.line = number_after(errors, "Error occurred at line: ");
  if (result.line == 0) {
    result.line = number_after(errors, "line ");
  }
  return result;
}

asio::awaitable<std::expected<void, RestoreFailure>> Iptables::restore(
    std::shared_ptr<const std::string> input) {
  ChildCommand command;
  command.arguments = {program_name(backend_, family_, "restore"), "--noflush"};
  if (backend_ == Backend::Legacy) {
    command.arguments.emplace_back("-w");
    command.arguments.push_back(std::to_string(LockPatience.count()));
  }
  command.input = std::move(input);
  command.time_limit = ProgramTimeLimit;
  const Result<ChildResult> done = co_await run_child(std::move(command));
  if (!done) {
    co_return std::unexpected(
        RestoreFailure{RestoreFailure::Kind::System, 0, done.error().message});
  }
  if (done->signal != 0) {
    co_return std::unexpected(RestoreFailure{RestoreFailure::Kind::System, 0,
                                             program_name(backend_, family_, "restore") +
                                                 ": ended by signal " +
                                                 std::to_string(done->signal)});
  }
  if (done->exit_status != 0) {
    co_return std::unexpected(read_restore_failure(done->exit_status, done->errors));
  }
  co_return std::expected<void, RestoreFailure>();
}

asio::awaitable<Result<void>> Iptables::save(Table table,
                                             std::function<void(std::string_view)> take) {
  std::vector<std::string> arguments = {program_name(backend_, family_, "save"), "-t",
                                        std::string(to_text(table)), "-c"};
  co_return co_await run_save(std::move(arguments), std::move(take));
}

std::uint64_t Iptables::fingerprint(Table table) {
  return backend_ == Backend::Nft ? nft_generation() : legacy_fingerprint(family_, table);
}

asio::awaitable<Result<void>> save_all(Backend backend, kube::IpFamily family,
                                       std::function<void(std::string_view)> take) {
  std::vector<std::string> arguments = {program_name(backend, family, "save")};
  co_return co_await run_save(std::move(arguments), std::move(take));
}

}  // namespace waypost::proxy
