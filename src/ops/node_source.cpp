#include "ops/node_source.h"

#include "base/log.h"
#include "base/timer.h"

#include <utility>
#include <vector>

namespace waypost::ops {
namespace {

std::vector<sources::KindRequest> kinds_for(const NodeNeeds& needs, const std::string& node_name) {
  constexpr kube::DecodeOptions Traffic{.traffic = true, .labels = false, .selectors = false};
  std::vector<sources::KindRequest> kinds;
  if (needs.names) {
    kinds = sources::kinds_for_names(false, needs.service_labels);
    for (sources::KindRequest& kind : kinds) {
      kind.decode.traffic = needs.rules;
    }
  } else {
    kinds = {{.kind = kube::ObjectKind::Service,
              .label_selector = "!service.kubernetes.io/service-proxy-name",
              .decode = Traffic},
             {.kind = kube::ObjectKind::EndpointSlice,
              .label_selector = "!service.kubernetes.io/service-proxy-name,"
                                "!service.kubernetes.io/headless",
              .decode = Traffic}};
  }
  if (needs.own_pods) {
    kinds.push_back({.kind = kube::ObjectKind::Pod,
                     .field_selector = "spec.nodeName=" + node_name,
                     .decode = {.labels = false, .selectors = false, .pod_search = true}});
  }
  if (needs.rules) {
    kinds.push_back(
        {.kind = kube::ObjectKind::Node, .field_selector = "metadata.name=" + node_name});
  }
  return kinds;
}

}  // namespace

Result<std::unique_ptr<sources::ApiSource>> open_node_source(
    boost::asio::io_context& context, kube::ApiAccess access, const std::string& node_name,
    const NodeNeeds& needs, std::string_view program, cache::ServiceCache& cache,
    sources::SourceEvents& events) {
  auto client = kube::ApiClient::make(
      context, std::move(access),
      {.user_agent = kube::user_agent(program, WAYPOST_VERSION),
       .credentials = {.warn = [](const std::string& problem) { log::warn("{}", problem); }}});
  if (!client) {
    return std::unexpected(std::move(client.error()));
  }
  sources::ApiOptions options;
  options.kinds = kinds_for(needs, node_name);
  auto source = std::make_unique<sources::ApiSource>(
      context, std::move(options), std::move(*client),
      std::make_unique<SystemTimer>(context.get_executor()), cache, events);
  source->start();
  return source;
}

}  // namespace waypost::ops
