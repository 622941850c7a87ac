// A whole responder in memory: manifests in, wire answers out, no socket.

#pragma once

#include "base/rcu.h"
#include "cache/service_cache.h"
#include "records/publisher.h"
#include "server/responder.h"
#include "zones/zone_set.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::test {

// What tests/data/schema is answered with unless a table says otherwise.
records::Options default_options();

// A path below tests/data.
std::string data_path(std::string_view name);

// Decodes `yaml` into `cache`; fails the test for any problem.
void load_world(cache::ServiceCache& cache, std::string_view yaml);

// One Service, shop/web at 10.96.0.7, and its namespace.
inline constexpr const char* ShopWorld = R"(
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.7, ports: [{port: 80}]}
)";

class TestCluster {
 public:
  // An empty, synced world, and the static zones that are given.
  explicit TestCluster(const records::Options& options = default_options(),
                       std::vector<std::shared_ptr<const zones::Zone>> zones = {},
                       server::AnswerPolicy policy = {});
  ~TestCluster();

  cache::ServiceCache cache;
  server::Counters counters;

  // The response to `request`; empty when there is none.
  std::vector<std::uint8_t> ask(Bytes request, server::Transport transport = server::Transport::Udp,
                                std::string_view client = "127.0.0.1");
  const server::Views& views() const noexcept { return views_; }
  // Index, zones and policy, for views of one's own; borrowed.
  void lend(server::Views& to) const noexcept;
  // From here on answers are, or are not, marked as stale.
  void set_stale(bool stale) noexcept { views_.is_stale.store(stale); }
  // From here on names that nobody here owns are looked for there.  Borrowed; may be null.
  void set_answers(const resolver::AnswerCache* answers) noexcept { views_.answers.store(answers); }
  // From here on these come before zones.  Borrowed; may be null.
  void set_rules(const policy::Policy* rules) noexcept { views_.rules.store(rules); }
  const records::Publisher& publisher() const noexcept { return *publisher_; }
  const zones::ZoneSet& zones() const noexcept { return zones_; }

 private:
  rcu::RetireList retired_;
  std::unique_ptr<records::Publisher> publisher_;
  zones::ZoneSet zones_;
  server::AnswerPolicy policy_;
  server::Views views_;
  std::unique_ptr<server::Responder> responder_;
};

}  // namespace waypost::test
