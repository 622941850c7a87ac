// The status page of waypost-dns: what is known and how old that is, what is answered, who is
// asked, and every Service with its answers.

#pragma once

#include "dns/name.h"
#include "ops/forwarding.h"
#include "ops/page/page_server.h"
#include "ops/page/rate_history.h"
#include "ops/page/top_queries.h"
#include "ops/world.h"
#include "server/counters.h"
#include "server/responder.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace waypost::ops {

// What the program as a whole has to say.
struct DnsPageFacts {
  std::string readiness;            // As /ready says it.
  std::string source;               // A URL or a folder; empty: no cluster is served.
  std::vector<std::string> listen;  // ADDRESS:PORT
  std::size_t static_zones = 0;
  // Since everything that is answered was certain; nothing while nothing is known.
  std::optional<std::chrono::milliseconds> data_age;
  bool is_stale = false;              // Answers say that they are.
  std::vector<std::string> problems;  // Of manifests.
  std::optional<std::chrono::duration<double>> snapshot_age = {};
};

// All are borrowed and outlive the page.
struct DnsPageParts {
  // As Server::drain_samples().
  using Samples =
      std::function<std::uint64_t(const std::function<void(const server::QuerySample&)>&)>;

  const World& world;
  const server::Views& views;
  Forwarding& forwarding;
  std::function<std::vector<const server::Counters*>()> counters;
  std::function<dns::Name()> zone;
  std::function<DnsPageFacts()> facts;
  Samples samples = {};  // Empty: nobody counts names and clients.
};

// Control thread only.
class DnsPage {
 public:
  explicit DnsPage(DnsPageParts parts);

  // Notes what is counted now; once a second.
  void sample();

  // Good as long as this object.
  PageServer::Pages pages();

 private:
  PageContent overview();
  PageContent services(const PageQuery& query);
  PageContent service(const PageQuery& query);
  Html summary(const DnsPageFacts& facts) const;
  Html known(const DnsPageFacts& facts) const;
  Html source(const DnsPageFacts& facts) const;
  Html cache() const;
  Html tops() const;

  DnsPageParts parts_;
  RateHistory history_;
  TopQueries tops_{std::chrono::steady_clock::now()};
};

}  // namespace waypost::ops
