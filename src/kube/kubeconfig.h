// A kubeconfig: the file that says where clusters are and who one is there (apiVersion v1, kind
// Config).
//
// Not here: using it (kube/api_client.h); merging several files, which is kubectl's own.

#pragma once

#include "base/error.h"
#include "kube/api_access.h"

#include <filesystem>
#include <string_view>

namespace waypost::kube {

// Reads `file` and returns the access that the context `context_name` means, or, when that is
// empty, the file's current-context.  Paths in it are relative to its own folder.
//
// Understood: of a cluster server, certificate-authority(-data), insecure-skip-tls-verify,
// tls-server-name, disable-compression; of a user token, tokenFile, client-certificate(-data),
// client-key(-data), username, password and exec.  Refused by name, for ignoring them would talk
// to another server or as someone else: proxy-url, auth-provider, as, as-uid, as-groups and
// as-user-extra.  Everything else is not looked at, as in client-go, and so are contexts, clusters
// and users that are not used.
//
// As in client-go, tokenFile wins over token, and what is given both inline and as a file is
// refused.  So is more than one of token, username and exec.
//
// Fails with the file, the line, the field, what was found and what was expected, never with a
// secret.  Files that it names are opened by ApiClient::make(), but for a certificate authority
// that an exec plugin is to be told (provideClusterInfo).
Result<ApiAccess> read_kubeconfig(const std::filesystem::path& file, std::string_view context_name);

// The same for a text; `file` is for messages and relative paths.
Result<ApiAccess> parse_kubeconfig(std::string_view text, const std::filesystem::path& file,
                                   std::string_view context_name);

}  // namespace waypost::kube
