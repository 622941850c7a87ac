// How to reach an API server and who to be there: what a kubeconfig, a Pod's service account and a
// URL on the command line come down to.
//
// It is a value that has read no more than it had to.  Files that it names are read again as they
// change (kube/api_credentials.h), for tokens and certificates live shorter than this process.
//
// Not here: where it comes from (kube/kubeconfig.h, kube/in_cluster.h), talking
// (kube/api_client.h).

#pragma once

#include "base/error.h"
#include "kube/api_endpoint.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waypost::kube {

// A text, such as a certificate in PEM or a token, or the file that holds it.  The file wins.
struct TextOrFile {
  bool is_given() const noexcept { return !text.empty() || !file.empty(); }

  std::string text;
  std::filesystem::path file;
};

// A program that is run to get a token or a client certificate (client.authentication.k8s.io,
// "client-go credential plugins").
struct ExecPlugin {
  std::string api_version;  // "client.authentication.k8s.io/v1" or ".../v1beta1".
  std::string command;      // Absolute, or a name that is looked for in PATH.
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;  // Besides this process's own.
  std::string install_hint;  // Said when the command does not exist.
  // The value of KUBERNETES_EXEC_INFO, which tells the program what is wanted and, with
  // provideClusterInfo, for which cluster.
  std::string exec_info;
};

struct ApiAccess {
  ApiEndpoint endpoint;
  std::string origin;  // For messages: "kubeconfig /etc/a.conf, context b".

  // What vouches for the server.  Without a certificate authority, the system's own.
  TextOrFile certificate_authority;
  bool insecure_skip_tls_verify = false;
  std::string tls_server_name;  // Instead of the endpoint's host, if not empty.

  // What is shown to the server.  None: anonymous.
  TextOrFile client_certificate;
  TextOrFile client_key;
  TextOrFile token;
  std::string username;
  std::string password;
  std::optional<ExecPlugin> exec;

  bool accepts_gzip = true;
};

// The access to `url` (see ApiEndpoint::from_text) without any credentials.
Result<ApiAccess> access_from_url(std::string_view url);

}  // namespace waypost::kube
