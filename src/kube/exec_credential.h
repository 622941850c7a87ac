// What a credential plugin is asked for, and what it answers (client.authentication.k8s.io/v1 and
// v1beta1, "client-go credential plugins").
//
// Not here: the configuration (kube/api_access.h), when it is run again (kube/api_credentials.h).

#pragma once

#include "base/error.h"
#include "kube/api_access.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace waypost::kube {

struct ExecCredential {
  std::string token;  // Empty when there is a certificate only.
  std::string client_certificate;
  std::string client_key;
  // Nothing: until the server refuses it.
  std::optional<std::chrono::system_clock::time_point> expires;
};

// Reads what a plugin of `api_version` wrote.  Fails with InvalidInput for what is no
// ExecCredential of that version, or has no usable status.  Messages hold nothing of `text`'s
// status.
Result<ExecCredential> decode_exec_credential(std::string_view text, std::string_view api_version);

// Runs `plugin`, at most for `time_limit`.  A failure says what the plugin wrote to stderr, with
// control characters taken out, never what it wrote to stdout.
boost::asio::awaitable<Result<ExecCredential>> run_exec_plugin(
    ExecPlugin plugin, std::chrono::milliseconds time_limit);

}  // namespace waypost::kube
