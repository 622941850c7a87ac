// Any text as a kubeconfig: it becomes an access that can be used, or is refused with its place.

#include "kube/kubeconfig.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

void expect(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace waypost::kube;
  const std::string_view text(reinterpret_cast<const char*>(input), size);
  const auto access = parse_kubeconfig(text, "folder/config", "");
  if (!access) {
    expect(access.error().message.starts_with("folder/config: "), "errors have a place");
    return 0;
  }
  const ApiEndpoint& endpoint = access->endpoint;
  expect(endpoint.host.empty() == (endpoint.transport == ApiEndpoint::Transport::UnixSocket),
         "a server has a host or a path");
  expect(endpoint.prefix.empty() || endpoint.prefix.starts_with('/'), "a prefix is a path");
  expect(!endpoint.prefix.ends_with('/'), "targets bring their own slash");
  expect(access->client_certificate.is_given() == access->client_key.is_given(),
         "a certificate has a key");
  expect(!access->exec || !access->exec->command.empty(), "a plugin has a command");
  return 0;
}
