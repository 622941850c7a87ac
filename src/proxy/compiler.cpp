#include "proxy/compiler.h"

#include "proxy/chain_name.h"
#include "proxy/fixed_chains.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace waypost::proxy {
namespace {

DispatchTree make_tree(TreeId id, kube::IpFamily family) {
  using KeyedBy = DispatchTree::KeyedBy;
  const KeyedBy by_address = family == kube::IpFamily::V4 ? KeyedBy::Ipv4 : KeyedBy::Ipv6;
  switch (id) {
    case TreeId::ClusterIp:
    case TreeId::RefusedClusterIp:
      return {by_address, std::string(ClusterIpTree)};
    case TreeId::ExternalIp:
    case TreeId::RefusedExternalIp:
      return {by_address, std::string(ExternalIpTree)};
    case TreeId::NodePort:
    case TreeId::RefusedNodePort:
      return {KeyedBy::Port, std::string(NodePortTree)};
    case TreeId::Hairpin:
    case TreeId::ForwardedHairpin:
      return {by_address, std::string(HairpinTree)};
    case TreeId::HealthCheckPort:
      return {KeyedBy::Port, std::string(HealthCheckTree)};
    case TreeId::LoadBalancerFirewall:
      return {by_address, std::string(ProxyFirewallTree)};
  }
  return {by_address, {}};
}

bool comes_before(const PlacedRule& a, const PlacedRule& b) noexcept {
  return std::tie(a.tree, a.rule->key, a.rule->text) < std::tie(b.tree, b.rule->key, b.rule->text);
}

}  // namespace

// What one Service has in the rule set.
struct Compiler::Compiled {
  OwnerId id = NoOwner;
  std::vector<ChainPointer> chains;  // By name.
  std::vector<PlacedRule> placed;    // In the order of comes_before().
  std::uint16_t without_local_internal = 0;
  std::uint16_t without_local_external = 0;

  bool empty() const noexcept { return chains.empty() && placed.empty(); }
};

Compiler::Compiler(kube::IpFamily family, Config config, NodeFacts facts)
    : family_(family), config_(std::move(config)), facts_(std::move(facts)) {
  for (std::size_t i = 0; i < TreeCount; ++i) {
    trees_.push_back(make_tree(static_cast<TreeId>(i), family_));
  }
  rules_.set_jumps(fixed_jumps(config_, family_));
}

Compiler::~Compiler() = default;

const kube::ObjectKey* Compiler::owner(OwnerId id) const noexcept {
  return id < owners_.size() ? owners_[id] : nullptr;
}

// The number is good until the Service has no rules.  `key` lives as long.
OwnerId Compiler::take_id(const kube::ObjectKey& key) {
  if (free_ids_.empty()) {
    owners_.push_back(&key);
    return static_cast<OwnerId>(owners_.size() - 1);
  }
  const OwnerId id = free_ids_.back();
  free_ids_.pop_back();
  owners_[id] = &key;
  return id;
}

// ---- One Service ------------------------------------------------------------------------------

std::optional<std::string> Compiler::find_fault(const std::vector<ServicePortView>& views) const {
  for (const ServicePortView& view : views) {
    if (view.cluster_ip.is_unspecified()) {
      return "port " + view.name + ": the ClusterIP is no address";
    }
    if (view.endpoints.size() > MaxEndpoints) {
      return "port " + view.name + ": " + std::to_string(view.endpoints.size()) +
             " endpoints; expected at most " + std::to_string(MaxEndpoints);
    }
    for (const PortEndpoint& endpoint : view.endpoints) {
      if (endpoint.address.is_unspecified()) {
        return "port " + view.name + ": an endpoint's address is no address";
      }
    }
  }
  return std::nullopt;
}

void Compiler::apply(const kube::ObjectKey& key, const cache::ServiceState& state) {
  quarantined_.erase(key);
  const std::vector<ServicePortView> views = view_ports(state, family_, facts_.name);
  Compiled next;
  if (auto fault = find_fault(views)) {
    quarantined_.emplace(key, std::move(*fault));
  } else if (!views.empty()) {
    const auto [at, is_new] = services_.try_emplace(key);
    if (is_new) {
      at->second.id = take_id(at->first);
    }
    next.id = at->second.id;
    ServiceRules rules;
    for (const ServicePortView& view : views) {
      const EndpointChoice choice = choose_endpoints(view, facts_.name, facts_.zone);
      add_rules(view, choice, config_, facts_, next.id, rules);
      next.without_local_internal += choice.has_any && !choice.has_internal(view);
      next.without_local_external +=
          view.is_external() && choice.has_any && !choice.has_external(view);
    }
    if (views.front().health_check_node_port != 0) {
      add_health_check_rule(key.to_text(), views.front().health_check_node_port, next.id, rules);
    }
    next.chains = std::move(rules.chains);
    next.placed = std::move(rules.placed);
  }
  replace(key, std::move(next));
}

void Compiler::quarantine(const kube::ObjectKey& key, std::string reason) {
  quarantined_.insert_or_assign(key, std::move(reason));
  replace(key, {});
}

void Compiler::replace(const kube::ObjectKey& key, Compiled next) {
  const auto at = services_.find(key);
  if (at == services_.end()) {
    return;  // It had nothing, and has nothing now.
  }
  std::sort(next.chains.begin(), next.chains.end(),
            [](const ChainPointer& a, const ChainPointer& b) { return a->name() < b->name(); });
  std::sort(next.placed.begin(), next.placed.end(), comes_before);
  next.chains.shrink_to_fit();
  next.placed.shrink_to_fit();
  Compiled& before = at->second;
  // Whatever did not change stays the same object.
  for (ChainPointer& chain : next.chains) {
    const ChainPointer& known = rules_.find(Table::Nat, chain->name());
    if (known != nullptr && known->has_same_rules(*chain)) {
      chain = known;
    }
  }
  replace_chains(before, next);
  replace_placed(before, next);
  count(before, false);
  count(next, true);
  if (next.empty()) {
    owners_[before.id] = nullptr;
    free_ids_.push_back(before.id);
    services_.erase(at);
  } else {
    next.id = before.id;
    before = std::move(next);
  }
  counts_.services = services_.size();
}

void Compiler::count(const Compiled& compiled, bool is_added) noexcept {
  const std::size_t sign = is_added ? 1 : static_cast<std::size_t>(-1);
  counts_.without_local_internal += sign * compiled.without_local_internal;
  counts_.without_local_external += sign * compiled.without_local_external;
}

void Compiler::replace_chains(const Compiled& before, const Compiled& after) {
  for (const ChainPointer& chain : before.chains) {
    const bool stays = std::binary_search(
        after.chains.begin(), after.chains.end(), chain,
        [](const ChainPointer& a, const ChainPointer& b) { return a->name() < b->name(); });
    if (!stays) {
      erase(Table::Nat, chain->name());
    }
  }
  for (const ChainPointer& chain : after.chains) {
    put(Table::Nat, chain);
  }
}

void Compiler::replace_placed(const Compiled& before, Compiled& after) {
  auto old = before.placed.begin();
  auto now = after.placed.begin();
  while (old != before.placed.end() || now != after.placed.end()) {
    if (now == after.placed.end() || (old != before.placed.end() && comes_before(*old, *now))) {
      tree(old->tree).erase(old->rule);
      ++old;
    } else if (old == before.placed.end() || comes_before(*now, *old)) {
      tree(now->tree).add(now->rule);
      ++now;
    } else {
      now->rule = old->rule;  // The tree's.
      ++old;
      ++now;
    }
  }
}

// ---- The whole --------------------------------------------------------------------------------

void Compiler::set_node(NodeFacts facts, const cache::ServiceCache& cache) {
  const bool is_other_place = facts.name != facts_.name || facts.zone != facts_.zone ||
                              facts.node_ips != facts_.node_ips ||
                              facts.pod_cidrs != facts_.pod_cidrs;
  facts_ = std::move(facts);
  if (is_other_place) {
    const auto kept = quarantined_;  // Those the kernel refused stay refused.
    cache.for_each_service([&](const kube::ObjectKey& key, const cache::ServiceState& state) {
      if (!kept.contains(key)) {
        apply(key, state);
      }
    });
  }
}

void Compiler::note(Table table, const std::string& name) {
  if (noted_.emplace(table, name).second) {
    changed_.push_back({table, name});
  }
}

void Compiler::put(Table table, ChainPointer chain) {
  const ChainPointer& known = rules_.find(table, chain->name());
  if (known != nullptr && (known == chain || known->has_same_rules(*chain))) {
    return;
  }
  note(table, chain->name());
  rules_.put(table, std::move(chain));
}

void Compiler::erase(Table table, const std::string& name) {
  note(table, name);
  rules_.erase(table, std::string_view(name));
}

std::vector<ChainKey> Compiler::settle() {
  for (std::size_t i = 0; i < TreeCount; ++i) {
    const Table table = table_of(static_cast<TreeId>(i));
    trees_[i].render([&](const std::string& name) { erase(table, name); },
                     [&](ChainPointer chain) { put(table, std::move(chain)); });
  }
  put_fixed_chains();
  noted_.clear();
  return std::exchange(changed_, {});
}

void Compiler::put_fixed_chains() {
  const HasChain has_chain = [&](Table table, std::string_view name) {
    return rules_.find(table, name) != nullptr && rules_.find(table, name)->size() != 0;
  };
  for (FixedChain& fixed : fixed_chains(config_, facts_, family_, has_chain)) {
    put(fixed.table, std::move(fixed.chain));
  }
}

}  // namespace waypost::proxy
