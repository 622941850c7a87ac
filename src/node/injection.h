// Resolver settings and Service variables written into the Pods of manifests.
//
// Documents without a Pod that is changed stay as they are, octet by octet.  Of a document with one
// all values stay; its comments are lost but for those in front of it, and it is in block style.
//
// Not here: where variables come from (node/service_environment.h).

#pragma once

#include "base/error.h"
#include "node/pod_dns.h"
#include "node/service_environment.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::node {

struct InjectOptions {
  std::string name_space;  // Of Pods whose manifest names none; empty: such a Pod is a failure.
  // How the cluster's names are resolved from now on.  A Pod whose dnsPolicy is that of the cluster
  // gets dnsPolicy None and a dnsConfig that says the same as its kubelet would with this
  // clusterDNS and clusterDomain; its own dnsConfig is merged in.  Others stay, and a note says so.
  std::optional<NodeDns> dns;
  // The variables of a container in a namespace.  Those that a container has not got yet, by name,
  // are added to its `env`, init containers included.
  std::function<Result<std::vector<Variable>>(const std::string& name_space, bool service_links)>
      environment;
};

struct Injection {
  std::string text;
  std::vector<std::string> notes;  // What stayed as it was, and why; what was cut.
  std::size_t changed = 0;         // Pods and templates of Pods.
};

// Fails for what is not YAML, and for a Pod that the API server would refuse; the message names the
// document, the line, the object and the field.  Injecting again changes nothing.
Result<Injection> inject(std::string_view text, const InjectOptions& options);

}  // namespace waypost::node
