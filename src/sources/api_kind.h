// The kinds of objects that are read from the API server, and how each of them is asked for.

#pragma once

#include "kube/object_decoders.h"
#include "kube/objects.h"

#include <string>
#include <string_view>

namespace waypost::sources {

// Where a kind lives in the API, and the right that reading it takes.
struct ApiResource {
  kube::ObjectKind kind;
  std::string_view plural;  // "endpointslices"
  std::string_view group;   // "discovery.k8s.io"; empty: the core group.
  std::string_view path;    // "/apis/discovery.k8s.io/v1/endpointslices": the whole cluster's.
};

const ApiResource& resource_of(kube::ObjectKind kind) noexcept;

// "apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"]": the
// rule of a ClusterRole that lets this process read the kind.
std::string rbac_rule(const ApiResource& resource);

// What of a kind is asked for.  Empty selectors: everything.
struct KindRequest {
  kube::ObjectKind kind = kube::ObjectKind::Service;
  std::string field_selector;  // "spec.nodeName=node-1"
  std::string label_selector;  // "!service.kubernetes.io/headless"
  kube::DecodeOptions decode;  // What of each object is kept.

  bool has_selector() const noexcept { return !field_selector.empty() || !label_selector.empty(); }
};

// The target of a request about `request`'s objects; `parameters` is what follows the selectors,
// "limit=500".
std::string target_of(const KindRequest& request, std::string_view parameters);

// `text` with everything but unreserved characters percent-encoded (RFC 3986, 2.3): selectors and
// continue tokens.
std::string percent_encoded(std::string_view text);

}  // namespace waypost::sources
