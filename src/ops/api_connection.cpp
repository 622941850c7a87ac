#include "ops/api_connection.h"

#include "kube/in_cluster.h"
#include "kube/kubeconfig.h"

#include <utility>

namespace waypost::ops {

Result<kube::ApiAccess> api_access(const ApiConfig& config) {
  if (config.kubeconfig.empty() && config.server.empty()) {
    auto access = kube::in_cluster_access();
    if (!access && access.error().kind == ErrorKind::NotFound) {
      access.error().message +=
          "; outside of a cluster, say where objects come from: --manifests FOLDER, --kubeconfig "
          "FILE or --api-server URL";
    }
    return access;
  }
  if (config.kubeconfig.empty()) {
    return kube::access_from_url(config.server);
  }
  auto access = kube::read_kubeconfig(config.kubeconfig, config.context);
  if (access && !config.server.empty()) {
    auto endpoint = kube::ApiEndpoint::from_text(config.server);
    if (!endpoint) {
      return std::unexpected(std::move(endpoint.error()));
    }
    access->endpoint = std::move(*endpoint);
  }
  return access;
}

sources::ApiOptions api_options(const records::Options& records,
                                const CompletionConfig& completion) {
  const bool has_names = records.pods == records::PodsMode::Verified;
  sources::ApiOptions options{
      .kinds = sources::kinds_for_names(has_names || completion.is_on, !records.labels.empty()),
      .reflector = {}};
  for (sources::KindRequest& kind : options.kinds) {
    if (kind.kind == kube::ObjectKind::Pod && completion.is_on) {
      kind.decode.pod_search = true;
      kind.field_selector = completion.node.empty() ? "" : "spec.nodeName=" + completion.node;
    }
  }
  return options;
}

cache::Kept kept_for(const records::Options& records) {
  return {.labels = !records.labels.empty() || !records.namespace_labels.empty(),
          .selectors = false,
          .pod_names = records.endpoint_pod_names};
}

records::Options within_reach(records::Options wanted, const records::Options& started) {
  if (started.pods != records::PodsMode::Verified && wanted.pods == records::PodsMode::Verified) {
    wanted.pods = started.pods;
  }
  wanted.endpoint_pod_names = wanted.endpoint_pod_names && started.endpoint_pod_names;
  if (started.labels.empty()) {
    wanted.labels = {};
  }
  if (started.namespace_labels.empty() && started.labels.empty()) {
    wanted.namespace_labels = {};
  }
  return wanted;
}

}  // namespace waypost::ops
