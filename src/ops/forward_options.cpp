#include "ops/forward_options.h"

#include "base/file.h"
#include "base/tls.h"
#include "ops/option_values.h"
#include "ops/text.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>

namespace waypost::ops {

namespace fs = std::filesystem;

// An upstream, or the resolv.conf that names some.
Result<void> put_forward(Config& config, const std::string& text) {
  if (text.starts_with('/')) {
    std::error_code ec;
    return fs::is_directory(text, ec) ? because("it is a folder")
                                      : add_once(config.forward.resolv_confs, fs::path(text));
  }
  auto upstream = resolver::UpstreamAddress::from_text(text);
  if (!upstream) {
    return because(upstream.error().message);
  }
  config.forward.upstreams.push_back(std::move(*upstream));
  return {};
}

// ZONE=UPSTREAM; a zone that is given again has one more.
Result<void> put_stub_domain(Config& config, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    return unlike_expected();
  }
  const auto zone = dns::Name::from_text(text.substr(0, equals));
  if (!zone) {
    return because(zone.error().message);
  }
  auto upstream = resolver::UpstreamAddress::from_text(text.substr(equals + 1));
  if (!upstream) {
    return because(upstream.error().message);
  }
  auto& stubs = config.forward.stub_domains;
  auto stub = std::find_if(stubs.begin(), stubs.end(),
                           [&](const resolver::StubDomain& each) { return each.zone == *zone; });
  if (stub == stubs.end()) {
    stub = stubs.insert(stubs.end(), {zone->lowered(), {}});
  }
  stub->upstreams.push_back(std::move(*upstream));
  return {};
}

Result<void> put_forward_policy(Config& config, const std::string& text) {
  using enum resolver::Policy;
  return put_word(config.forward.options.policy, text,
                  {{"ranked", Ranked},
                   {"random", Random},
                   {"sequential", Sequential},
                   {"round_robin", RoundRobin}});
}

// Read here, so that a file that is none is refused with the rest of the configuration.
Result<void> put_upstream_ca_file(Config& config, const std::string& text) {
  auto certificates = read_file(text);
  if (!certificates) {
    return std::unexpected(certificates.error());
  }
  if (auto made = make_tls_context({.authority = *certificates}); !made) {
    return std::unexpected(made.error());
  }
  config.forward.options.tls_authority = std::move(*certificates);
  return {};
}

// RFC 8767, 5 suggests a day or three, and a cap of seven.
Result<void> put_serve_stale(Config& config, const std::string& text) {
  const auto duration = duration_from_text(text);
  if (!duration || *duration > std::chrono::hours(24 * 7)) {
    return unlike_expected();
  }
  config.forward.cache_times.stale = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(*duration).count());
  return {};
}

// What stub resolvers wait for is five seconds.
Result<void> put_query_deadline(Config& config, const std::string& text) {
  const auto duration = duration_from_text(text);
  if (!duration || *duration < std::chrono::milliseconds(100) ||
      *duration > std::chrono::seconds(30)) {
    return unlike_expected();
  }
  config.forward.resolver.query_deadline = *duration;
  return {};
}

}  // namespace waypost::ops
