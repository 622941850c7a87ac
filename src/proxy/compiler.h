// The desired rules of one address family: a pure function of the world, the node and the
// configuration, kept up to date Service by Service.
//
// The compiler keeps, for each Service, the chains that are its own and its rules in the dispatch
// trees.  A change of one Service compiles that Service and re-renders the trees' chains on the way
// to its rules; however the world came about, the rules are the same as compiled at once.
//
// Not here: where the world comes from (cache/), the kernel, connection tracking.

#pragma once

#include "cache/service_cache.h"
#include "kube/objects.h"
#include "proxy/config.h"
#include "proxy/dispatch_tree.h"
#include "proxy/rule_set.h"
#include "proxy/service_rules.h"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace waypost::proxy {

// A Service with more endpoints than this for one port is quarantined.
inline constexpr std::size_t MaxEndpoints = 20000;

class Compiler {
 public:
  Compiler(kube::IpFamily family, Config config, NodeFacts facts);
  ~Compiler();
  Compiler(const Compiler&) = delete;
  Compiler& operator=(const Compiler&) = delete;

  // Compiles one Service as it is now; without `service` it is gone.  Nothing of the state is
  // referred to afterwards.  A Service that cannot be compiled has no rules and is quarantined; a
  // quarantined Service that has changed gets another chance.
  void apply(const kube::ObjectKey& key, const cache::ServiceState& state);

  // The node is different: compiles all of `cache` again if endpoints, source ranges or the
  // detection of local packets depend on what is different.
  void set_node(NodeFacts facts, const cache::ServiceCache& cache);
  const NodeFacts& node() const noexcept { return facts_; }
  const Config& config() const noexcept { return config_; }
  kube::IpFamily family() const noexcept { return family_; }

  // Brings the dispatch trees up to date, and returns the chains that differ from what they were
  // at the last call, in the order of their first change, each once; those that are gone, too.
  std::vector<ChainKey> settle();
  // What has to be in the kernel.  Complete after settle(), until the next change.
  const RuleSet& rules() const noexcept { return rules_; }

  // Takes the rules of a Service out, because `reason`, until the Service changes.
  void quarantine(const kube::ObjectKey& key, std::string reason);
  const std::map<kube::ObjectKey, std::string>& quarantined() const noexcept {
    return quarantined_;
  }

  // Whose rules carry that number; null for NoOwner and for a Service without rules.
  const kube::ObjectKey* owner(OwnerId id) const noexcept;

  struct Counts {
    std::size_t services = 0;  // With rules.
    // Service ports whose policy is Local and that have endpoints, but none on this node
    // (sync_proxy_rules_no_local_endpoints_total).
    std::size_t without_local_internal = 0;
    std::size_t without_local_external = 0;
  };
  const Counts& counts() const noexcept { return counts_; }

 private:
  struct Compiled;

  std::optional<std::string> find_fault(const std::vector<ServicePortView>& views) const;
  void replace(const kube::ObjectKey& key, Compiled next);
  void replace_chains(const Compiled& before, const Compiled& after);
  void replace_placed(const Compiled& before, Compiled& after);
  void count(const Compiled& compiled, bool is_added) noexcept;
  OwnerId take_id(const kube::ObjectKey& key);
  void put(Table table, ChainPointer chain);
  void erase(Table table, const std::string& name);
  void note(Table table, const std::string& name);
  void put_fixed_chains();
  DispatchTree& tree(TreeId id) { return trees_[static_cast<std::size_t>(id)]; }

  kube::IpFamily family_;
  Config config_;
  NodeFacts facts_;
  std::unordered_map<kube::ObjectKey, Compiled, kube::ObjectKeyHash> services_;
  std::vector<const kube::ObjectKey*> owners_;  // By number; null: free.
  std::vector<OwnerId> free_ids_;
  std::vector<DispatchTree> trees_;  // By TreeId.
  std::map<kube::ObjectKey, std::string> quarantined_;
  RuleSet rules_;
  std::vector<ChainKey> changed_;
  std::set<std::pair<Table, std::string>> noted_;  // What is in `changed_`.
  Counts counts_;
};

}  // namespace waypost::proxy
