// The API server as the source of what a node needs to know: Services, their EndpointSlices, the
// node's own object, and for names the Namespaces and its Pods.

#pragma once

#include "base/error.h"
#include "cache/service_cache.h"
#include "kube/api_client.h"
#include "sources/api_source.h"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace waypost::ops {

// What the objects are for.
struct NodeNeeds {
  bool rules = true;
  bool names = false;
  bool service_labels = false;  // For names that a selector chooses.
  bool own_pods = false;        // For search completion: the Pods of this node.
};

// Makes the source and starts it; `program` is what it calls itself to the server.  For rules
// alone, Services of other proxies and slices of headless Services are left out by the server, as
// they are for kube-proxy; they have names all the same.  `context`, `cache` and `events` are
// borrowed and outlive what is returned.
Result<std::unique_ptr<sources::ApiSource>> open_node_source(
    boost::asio::io_context& context, kube::ApiAccess access, const std::string& node_name,
    const NodeNeeds& needs, std::string_view program, cache::ServiceCache& cache,
    sources::SourceEvents& events);

}  // namespace waypost::ops
