#include "ops/search_options.h"

#include "kube/names.h"
#include "node/pod_dns.h"
#include "ops/option_values.h"

#include <filesystem>
#include <system_error>
#include <utility>

namespace waypost::ops {

namespace fs = std::filesystem;

// As a resolver file has them: one final dot is taken away.
Result<void> put_search_domain(Config& config, const std::string& text) {
  if (text == "." || !node::is_search_domain(text)) {
    return unlike_expected();
  }
  auto& domains =
      config.completion.domains ? *config.completion.domains : config.completion.domains.emplace();
  std::string domain = text.substr(0, text.size() - (text.ends_with('.') ? 1 : 0));
  return add_once(domains, std::move(domain));
}

Result<void> put_search_resolv_conf(Config& config, const std::string& text) {
  std::error_code ec;
  if (fs::is_directory(text, ec)) {
    return because("it is a folder");
  }
  config.completion.resolv_conf = text;
  return {};
}

Result<void> put_search_node(Config& config, const std::string& text) {
  if (!kube::is_dns_subdomain(text)) {
    return unlike_expected();
  }
  config.completion.node = text;
  return {};
}

}  // namespace waypost::ops
