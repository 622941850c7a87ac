#include "kube/exec_credential.h"

#include "base/child_process.h"
#include "kube/timestamp.h"
#include "kube/yaml_tree.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace waypost::kube {
namespace {

std::unexpected<Error> refuse(std::string message) {
  return failure(ErrorKind::InvalidInput, std::move(message));
}

// The string `name` of the status, empty without one.  Its value is a secret: no message has it.
Result<std::string> secret_text(const TreeNode& status, std::string_view name) {
  const TreeNode node = status.find(name);
  if (node.is_present() && node.type() != TreeType::String) {
    return refuse("status." + std::string(name) + " is not a string");
  }
  return std::string(node.text());
}

Result<ExecCredential> decode_status(const TreeNode& status) {
  auto token = secret_text(status, "token");
  auto certificate = secret_text(status, "clientCertificateData");
  auto key = secret_text(status, "clientKeyData");
  auto expires = secret_text(status, "expirationTimestamp");
  for (const auto* text : {&token, &certificate, &key, &expires}) {
    if (!*text) {
      return std::unexpected(text->error());
    }
  }
  if (certificate->empty() != key->empty()) {
    return refuse("status has only one of clientCertificateData and clientKeyData");
  }
  if (token->empty() && certificate->empty()) {
    return refuse("status has neither a token nor a client certificate");
  }
  ExecCredential credential{std::move(*token), std::move(*certificate), std::move(*key), {}};
  if (!expires->empty()) {
    credential.expires = parse_timestamp(*expires);
    if (!credential.expires) {
      return refuse("status.expirationTimestamp is not a time as in RFC 3339");
    }
  }
  return credential;
}

// One line, without what could confuse a terminal.
std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  const auto first = line.find_first_not_of(' ');
  const auto last = line.find_last_not_of(' ');
  return first == std::string::npos ? std::string() : line.substr(first, last - first + 1);
}

std::string describe_end(const ChildResult& result) {
  std::string text = result.signal != 0 ? "was ended by signal " + std::to_string(result.signal)
                                        : "ended with status " + std::to_string(result.exit_status);
  const std::string errors = one_line(result.errors);
  return errors.empty() ? text + " without a word on stderr" : text + ": " + errors;
}

}  // namespace

Result<ExecCredential> decode_exec_credential(std::string_view text, std::string_view api_version) {
  YamlStream stream(text);
  Tree document;
  const auto has_document = stream.next(document);
  if (!has_document) {
    return refuse("the output is not JSON");
  }
  const TreeNode root = document.root();
  if (!*has_document || root.type() != TreeType::Mapping) {
    return refuse("the output is not a JSON object");
  }
  if (root.find("kind").text() != "ExecCredential") {
    return refuse("the output's kind is not ExecCredential");
  }
  if (root.find("apiVersion").text() != api_version) {
    return refuse("the output's apiVersion is not " + std::string(api_version) +
                  ", which was asked for");
  }
  const TreeNode status = root.find("status");
  if (status.type() != TreeType::Mapping) {
    return refuse("the output has no status");
  }
  return decode_status(status);
}

boost::asio::awaitable<Result<ExecCredential>> run_exec_plugin(
    ExecPlugin plugin, std::chrono::milliseconds time_limit) {
  const std::string context = "credential plugin";
  ChildCommand command;
  command.arguments.push_back(plugin.command);
  std::ranges::move(plugin.arguments, std::back_inserter(command.arguments));
  command.environment = std::move(plugin.environment);
  command.environment.emplace_back("KUBERNETES_EXEC_INFO", plugin.exec_info);
  command.time_limit = time_limit;
  const auto result = co_await run_child(std::move(command));
  if (!result) {
    Error error = with_context(result.error(), context);
    if (error.kind == ErrorKind::NotFound && !plugin.install_hint.empty()) {
      error.message += "; " + one_line(plugin.install_hint);
    }
    co_return std::unexpected(std::move(error));
  }
  if (result->signal != 0 || result->exit_status != 0) {
    co_return failure(ErrorKind::System,
                      context + ": " + plugin.command + " " + describe_end(*result));
  }
  auto credential = decode_exec_credential(result->output, plugin.api_version);
  if (!credential) {
    co_return std::unexpected(
        with_context(with_context(std::move(credential.error()), plugin.command), context));
  }
  co_return credential;
}

}  // namespace waypost::kube
