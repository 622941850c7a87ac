// The status page of waypost-node: what is known and how old it is, what is in the kernel, and the
// rules of every Service with their counts.

#pragma once

#include "cache/service_cache.h"
#include "ops/node_metrics.h"
#include "ops/page/page_server.h"
#include "proxy/family_proxy.h"
#include "proxy/iptables.h"
#include "sources/kind_status.h"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::ops {

// One address family; all are borrowed.
struct NodePageFamily {
  std::string_view label;  // "IPv4"
  kube::IpFamily family = kube::IpFamily::V4;
  const FamilyMetrics* metrics = nullptr;
  const proxy::FamilyProxy* proxy = nullptr;
};

// What the program as a whole has to say.
struct NodePageFacts {
  std::string node;
  std::string source;  // A URL or a folder.
  proxy::Backend backend = proxy::Backend::Nft;
  bool is_healthy = false;   // As /livez says it.
  bool is_in_force = false;  // The first rules of all families are.
  std::vector<const sources::KindStatus*> kinds;
  std::vector<std::string> problems;  // Of manifests.
  std::vector<NodePageFamily> families;
};

// All are borrowed and outlive the page.
struct NodePageParts {
  const cache::ServiceCache& cache;
  std::function<NodePageFacts()> facts;
};

// Control thread only.
class NodePage {
 public:
  explicit NodePage(NodePageParts parts) : parts_(std::move(parts)) {}

  // Good as long as this object.
  PageServer::Pages pages();

 private:
  PageContent overview() const;
  PageContent services(const PageQuery& query) const;
  boost::asio::awaitable<PageContent> service(const PageQuery& query);

  NodePageParts parts_;
  // One page at a time runs iptables-save, which takes seconds where rules are many.
  bool is_counting_ = false;
};

}  // namespace waypost::ops
