#include "proxy/service_rules.h"

#include "proxy/chain_name.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace waypost::proxy {
namespace {

std::string host_prefix(const IpAddress& address) {
  return address.to_text() + (address.is_v4() ? "/32" : "/128");
}

std::string jump(std::string_view chain) {
  return std::string("-j ").append(chain);
}

// FNV-1a, 64 bits: the same on every start.
std::uint64_t stable_hash(const PortEndpoint& endpoint) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto fold = [&](unsigned octet) { hash = (hash ^ octet) * 0x100000001b3ULL; };
  for (const std::uint8_t octet : endpoint.address.mapped()) {
    fold(octet);
  }
  fold(endpoint.port >> 8);
  fold(endpoint.port & 255U);
  return hash ^ (hash >> 32);
}

using Endpoints = std::vector<const PortEndpoint*>;

// Builds the rules of one Service port.
class PortCompiler {
 public:
  PortCompiler(const ServicePortView& view, const EndpointChoice& choice, const Config& config,
               const NodeFacts& facts, OwnerId owner, ServiceRules& rules)
      : view_(view),
        choice_(choice),
        config_(config),
        facts_(facts),
        owner_(owner),
        rules_(rules),
        family_(kube::family_of(view.cluster_ip)),
        protocol_(kube::to_text(view.protocol)) {}

  void compile();

 private:
  void dispatch_translated();
  void dispatch_refused();
  void add_external_chain();
  void add_firewall_chain();
  void add_policy_chain(ChainKind kind, const Endpoints& endpoints);
  void add_masquerading(ChainKind kind, ChainBuilder& chain) const;
  void add_choice(const Endpoints& endpoints, ChainBuilder& chain) const;
  void add_segments(const Endpoints& endpoints, const std::string& name, ChainBuilder& chain);
  void add_affinity(const Endpoints& endpoints, ChainBuilder& chain);
  void add_hairpin();

  bool has_firewall() const noexcept {
    return choice_.has_any && !view_.load_balancer_ips.empty() && !view_.source_ranges.empty();
  }
  std::string name(ChainKind kind) const { return chain_name(kind, view_.port_id); }
  std::string dnat(const PortEndpoint& endpoint) const {
    return "-j DNAT --to-destination " + endpoint.to_text();
  }
  // The rule for `address`, or for every address when it is null.
  void place(TreeId tree, const IpAddress* address, std::uint16_t port, std::string_view comment,
             const std::string& action);
  TreeId tree_of(const IpAddress& address) const noexcept;

  const ServicePortView& view_;
  const EndpointChoice& choice_;
  const Config& config_;
  const NodeFacts& facts_;
  OwnerId owner_;
  ServiceRules& rules_;
  kube::IpFamily family_;
  std::string protocol_;
  std::set<std::string> endpoint_chains_;  // That are built.
};

void PortCompiler::compile() {
  dispatch_translated();
  dispatch_refused();
  if (choice_.has_any && view_.is_external()) {
    add_external_chain();
  }
  if (has_firewall()) {
    add_firewall_chain();
  }
  if (!choice_.cluster.empty()) {
    add_policy_chain(ChainKind::ClusterEndpoints, choice_.cluster);
  }
  if (!choice_.local.empty()) {
    add_policy_chain(ChainKind::LocalEndpoints, choice_.local);
  }
  if (config_.hairpin == Hairpin::Addresses) {
    add_hairpin();
  }
}

// ---- Dispatch ---------------------------------------------------------------------------------

void PortCompiler::place(TreeId tree, const IpAddress* address, std::uint16_t port,
                         std::string_view comment, const std::string& action) {
  DispatchRule rule;
  rule.key = {address == nullptr ? IpAddress() : *address, view_.protocol, port};
  rule.owner = owner_;
  rule.text = address == nullptr ? std::string() : "-d " + host_prefix(*address) + " ";
  rule.text += "-p " + protocol_ + " -m comment --comment \"" + view_.name;
  rule.text.append(" ").append(comment).append("\" -m ").append(protocol_);
  rule.text += " --dport " + std::to_string(port) + " " + action;
  rules_.placed.push_back({tree, std::make_shared<const DispatchRule>(std::move(rule))});
}

// ClusterIPs stand behind the guard of the service CIDRs where those are known.
TreeId PortCompiler::tree_of(const IpAddress& address) const noexcept {
  bool is_known = false;
  for (const IpPrefix& cidr : config_.service_cidrs) {
    if (cidr.contains(address)) {
      return TreeId::ClusterIp;
    }
    is_known = is_known || kube::family_of(cidr.base()) == family_;
  }
  return is_known || address != view_.cluster_ip ? TreeId::ExternalIp : TreeId::ClusterIp;
}

void PortCompiler::dispatch_translated() {
  if (choice_.has_internal(view_)) {
    place(tree_of(view_.cluster_ip), &view_.cluster_ip, view_.port, "cluster IP",
          jump(name(view_.is_internal_local ? ChainKind::LocalEndpoints
                                            : ChainKind::ClusterEndpoints)));
  }
  if (!choice_.has_any) {
    return;
  }
  const std::string external = jump(name(ChainKind::External));
  for (const IpAddress& address : view_.external_ips) {
    place(tree_of(address), &address, view_.port, "external IP", external);
  }
  const std::string balancer = has_firewall() ? jump(name(ChainKind::Firewall)) : external;
  for (const IpAddress& address : view_.load_balancer_ips) {
    place(tree_of(address), &address, view_.port, "loadbalancer IP", balancer);
    if (has_firewall()) {
      place(TreeId::LoadBalancerFirewall, &address, view_.port,
            "traffic not accepted by source ranges", "-j DROP");
    }
  }
  if (view_.node_port != 0) {
    place(TreeId::NodePort, nullptr, view_.node_port, "node port", external);
  }
}

// Nothing to lead to: refuse at once when there is no endpoint anywhere, be silent when there are
// some, which just must not be reached from here (a load balancer tries another node then).
void PortCompiler::dispatch_refused() {
  const std::string reject = family_ == kube::IpFamily::V4
                                 ? "-j REJECT --reject-with icmp-port-unreachable"
                                 : "-j REJECT --reject-with icmp6-port-unreachable";
  const std::string action = choice_.has_any ? "-j DROP" : reject;
  const std::string_view why = choice_.has_any ? "has no local endpoints" : "has no endpoints";
  if (!choice_.has_internal(view_)) {
    place(TreeId::RefusedClusterIp, &view_.cluster_ip, view_.port, why, action);
  }
  if (choice_.has_external(view_)) {
    return;
  }
  for (const IpAddress& address : view_.external_ips) {
    place(TreeId::RefusedExternalIp, &address, view_.port, why, action);
  }
  for (const IpAddress& address : view_.load_balancer_ips) {
    place(TreeId::RefusedExternalIp, &address, view_.port, why, action);
  }
  if (view_.node_port != 0) {
    place(TreeId::RefusedNodePort, nullptr, view_.node_port, why, action);
  }
}

void PortCompiler::add_hairpin() {
  for (const PortEndpoint& endpoint : view_.endpoints) {
    if (endpoint.is_local || !endpoint.has_node) {
      const std::string host = host_prefix(endpoint.address);
      for (const auto& [tree, target] : {std::pair(TreeId::Hairpin, MarkChain),
                                         std::pair(TreeId::ForwardedHairpin, AcceptTarget)}) {
        rules_.placed.push_back(
            {tree, std::make_shared<const DispatchRule>(
                       DispatchRule{.key = {.address = endpoint.address},
                                    .text = "-s " + host + " -d " + host + " " + jump(target),
                                    .owner = owner_})});
      }
    }
  }
}

// ---- Policy -----------------------------------------------------------------------------------

void PortCompiler::add_external_chain() {
  ChainBuilder chain(name(ChainKind::External), owner_);
  const std::string everywhere = jump(name(ChainKind::ClusterEndpoints));
  if (!view_.is_external_local) {
    chain.add(jump(MarkChain));
    chain.add(everywhere);
  } else {
    // Clients within the cluster get what they would get at the ClusterIP: the client's address has
    // no value that would have to be kept, and a load balancer would have gone the same way.
    if (const std::string from_pods = local_match(config_, facts_, family_, false);
        !from_pods.empty()) {
      chain.add(from_pods + " " + everywhere);
    }
    chain.add("-m addrtype --src-type LOCAL " + jump(MarkChain));
    chain.add("-m addrtype --src-type LOCAL " + everywhere);
    if (!choice_.local.empty()) {
      chain.add(jump(name(ChainKind::LocalEndpoints)));
    }
  }
  rules_.chains.push_back(chain.finish());
}

void PortCompiler::add_firewall_chain() {
  ChainBuilder chain(name(ChainKind::Firewall), owner_);
  const std::string external = jump(name(ChainKind::External));
  for (const IpPrefix& range : view_.source_ranges) {
    chain.add("-s " + range.to_text() + " " + external);
  }
  if (range_of_node(view_, facts_) != nullptr) {
    for (const IpAddress& address : view_.load_balancer_ips) {
      chain.add("-s " + host_prefix(address) + " " + external);
    }
  }
  rules_.chains.push_back(chain.finish());
}

// ---- Endpoints --------------------------------------------------------------------------------

void PortCompiler::add_policy_chain(ChainKind kind, const Endpoints& endpoints) {
  const std::string own_name = name(kind);
  ChainBuilder chain(own_name, owner_);
  add_masquerading(kind, chain);
  if (view_.affinity_seconds != 0) {
    add_affinity(endpoints, chain);
  } else if (endpoints.size() >= MinSegmented) {
    add_segments(endpoints, own_name, chain);
  } else {
    add_choice(endpoints, chain);
  }
  rules_.chains.push_back(chain.finish());
}

// A client outside the cluster that comes by ClusterIP.  External traffic, whose masquerading the
// external chain decides, comes here, too, and is told apart by its destination.
void PortCompiler::add_masquerading(ChainKind kind, ChainBuilder& chain) const {
  const bool is_internal = (kind == ChainKind::LocalEndpoints) == view_.is_internal_local;
  if (!is_internal) {
    return;
  }
  std::string source;
  if (!config_.masquerade_all) {
    source = local_match(config_, facts_, family_, true);
    if (source.empty()) {
      return;
    }
  }
  const bool is_shared =
      view_.is_external() && (kind == ChainKind::ClusterEndpoints || view_.is_external_local);
  std::string rule;
  if (is_shared) {
    // iptables prints the source before the destination, and an interface behind both.
    const std::string target = "-d " + host_prefix(view_.cluster_ip);
    const bool is_interface = source.find("-i ") != std::string::npos;
    rule = is_interface ? target + " " + source : (source.empty() ? "" : source + " ") + target;
    rule +=
        " -p " + protocol_ + " -m " + protocol_ + " --dport " + std::to_string(view_.port) + " ";
  } else if (!source.empty()) {
    rule = source + " ";
  }
  chain.add(rule + jump(MarkChain));
}

std::string random_match(std::size_t share, std::size_t of) {
  return share == of
             ? std::string()
             : "-m statistic --mode random --probability " +
                   probability_text(static_cast<double>(share) / static_cast<double>(of)) + " ";
}

void PortCompiler::add_choice(const Endpoints& endpoints, ChainBuilder& chain) const {
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    chain.add("-p " + protocol_ + " " + random_match(1, endpoints.size() - i) +
              dnat(*endpoints[i]));
  }
}

// First a segment, as likely as it is large, then an endpoint in it.  Which segment an endpoint is
// in follows from its address, so that a change changes one of them.
void PortCompiler::add_segments(const Endpoints& endpoints, const std::string& own_name,
                                ChainBuilder& chain) {
  const std::size_t count = segment_count(endpoints.size());
  std::map<std::size_t, Endpoints> segments;
  for (const PortEndpoint* endpoint : endpoints) {
    segments[stable_hash(*endpoint) % count].push_back(endpoint);
  }
  std::size_t rest = endpoints.size();
  for (const auto& [index, members] : segments) {
    ChainBuilder segment(segment_chain_name(own_name, index), owner_);
    add_choice(members, segment);
    ChainPointer built = segment.finish();
    chain.add(random_match(members.size(), rest) + jump(built->name()));
    rules_.chains.push_back(std::move(built));
    rest -= members.size();
  }
}

// A client that was here lately goes where it went; the kernel's list of clients has the name of
// the endpoint's chain.
void PortCompiler::add_affinity(const Endpoints& endpoints, ChainBuilder& chain) {
  const std::string mask = family_ == kube::IpFamily::V4
                               ? " --mask 255.255.255.255 --rsource "
                               : " --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource ";
  std::vector<std::string> names;
  for (const PortEndpoint* endpoint : endpoints) {
    names.push_back(endpoint_chain_name(view_.port_id, endpoint->to_text()));
    chain.add("-m recent --rcheck --seconds " + std::to_string(view_.affinity_seconds) +
              " --reap --name " + names.back() + mask + jump(names.back()));
  }
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    chain.add(random_match(1, endpoints.size() - i) + jump(names[i]));
    if (endpoint_chains_.insert(names[i]).second) {  // Both policies' chains may use it.
      ChainBuilder one(names[i], owner_);
      one.add("-p " + protocol_ + " -m recent --set --name " + names[i] + mask +
              dnat(*endpoints[i]));
      rules_.chains.push_back(one.finish());
    }
  }
}

}  // namespace

std::size_t segment_count(std::size_t endpoints) noexcept {
  return std::size_t{1} << ((std::bit_width(endpoints - 1) + 1) / 2);
}

std::string probability_text(double probability) {
  constexpr double Unit = 2147483648.0;
  char text[32];
  std::snprintf(text, sizeof text, "%.11f", std::round(probability * Unit) / Unit);
  return text;
}

const IpPrefix* local_cidr(const Config& config, const NodeFacts& facts, kube::IpFamily family) {
  const bool is_nodes = config.local_detector == LocalDetector::NodeCidr;
  if (!is_nodes && config.local_detector != LocalDetector::SourceCidr) {
    return nullptr;
  }
  const std::vector<IpPrefix>& cidrs = is_nodes ? facts.pod_cidrs : config.source_cidrs;
  const auto at = std::find_if(cidrs.begin(), cidrs.end(), [&](const IpPrefix& cidr) {
    return kube::family_of(cidr.base()) == family;
  });
  return at != cidrs.end() ? &*at : nullptr;
}

const IpPrefix* range_of_node(const ServicePortView& view, const NodeFacts& facts) {
  const auto at = std::find_if(
      view.source_ranges.begin(), view.source_ranges.end(), [&](const IpPrefix& range) {
        return std::any_of(facts.node_ips.begin(), facts.node_ips.end(),
                           [&](const IpAddress& address) { return range.contains(address); });
      });
  return at != view.source_ranges.end() ? &*at : nullptr;
}

std::string local_match(const Config& config, const NodeFacts& facts, kube::IpFamily family,
                        bool is_not) {
  const std::string negation = is_not ? "! " : "";
  switch (config.local_detector) {
    case LocalDetector::None:
      return {};
    case LocalDetector::SourceCidr:
    case LocalDetector::NodeCidr: {
      const IpPrefix* cidr = local_cidr(config, facts, family);
      return cidr != nullptr ? negation + "-s " + cidr->to_text() : std::string();
    }
    case LocalDetector::Bridge:
      return negation + "-i " + config.interface;
    case LocalDetector::InterfacePrefix:
      return negation + "-i " + config.interface + "+";
  }
  return {};
}

void add_rules(const ServicePortView& view, const EndpointChoice& choice, const Config& config,
               const NodeFacts& facts, OwnerId owner, ServiceRules& rules) {
  PortCompiler(view, choice, config, facts, owner, rules).compile();
}

void add_health_check_rule(const std::string& service, std::uint16_t port, OwnerId owner,
                           ServiceRules& rules) {
  rules.placed.push_back(
      {TreeId::HealthCheckPort, std::make_shared<const DispatchRule>(DispatchRule{
                                    .key = {.protocol = kube::Protocol::Tcp, .port = port},
                                    .text = "-p tcp -m comment --comment \"" + service +
                                            " health check node port\" -m tcp --dport " +
                                            std::to_string(port) + " -j ACCEPT",
                                    .owner = owner})});
}

}  // namespace waypost::proxy
