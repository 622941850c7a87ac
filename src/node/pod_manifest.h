// Pods and the templates of Pods in Kubernetes manifests: where they stand, and what they say of
// name resolution.
//
// Not here: changing them (node/injection.h).

#pragma once

#include "base/error.h"
#include "kube/field_reader.h"
#include "kube/tree.h"
#include "node/pod_dns.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::node {

// The way from an object to its Pod's spec: {"spec", "template", "spec"} for a Deployment.  Empty
// for an object that makes no Pods.
std::span<const std::string_view> pod_spec_path(std::string_view api_version,
                                                std::string_view kind) noexcept;

// True for a List of any objects, whose elements stand in `items`.
bool is_list(std::string_view kind) noexcept;
// What elements of a typed list are that do not say it themselves: "Pod" for "PodList"; empty for
// "List".  REQUIRES: is_list(list_kind).
std::string_view element_kind(std::string_view list_kind) noexcept;

// Reads what `spec` and `metadata`, mappings or absent, say.  Without metadata.namespace the
// namespace is empty.  What the API server would refuse is noted in `reader`.
PodDns decode_pod_dns(kube::FieldReader& reader, const kube::Field& metadata,
                      const kube::Field& spec);

struct ManifestPod {
  std::string what;  // "Deployment shop/web"
  PodDns dns;
};

// Reads the one Pod or template of a Pod in `text`, YAML or JSON of any number of documents.
// Fails when there is none, when there are several, and for what decode_pod_dns() refuses
// ("line 7: Pod shop/web: spec.dnsPolicy: ...").
Result<ManifestPod> read_pod(std::string_view text);

}  // namespace waypost::node
