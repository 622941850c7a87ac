#include "proxy/fixed_chains.h"

#include "proxy/chain_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

namespace waypost::proxy {
namespace {

constexpr std::string_view InvalidRule = "-m conntrack --ctstate INVALID -j DROP";
// Without targets: they only count.
constexpr std::string_view LocalhostEnteredRule =
    "-d 127.0.0.0/8 -m comment --comment \"localhost nodeports: looked up\"";
constexpr std::string_view LocalhostLeftRule =
    "-d 127.0.0.0/8 -m comment --comment \"localhost nodeports: not found\"";

std::string root_of(std::string_view tree) {
  return std::string(tree.substr(0, tree.size() - 1));
}

// The program of xt_bpf that is true when source and destination address are equal, as
// iptables takes it: the number of instructions, then code, true and false branch, value of each.
std::string hairpin_program(bool is_v4) {
  const unsigned source = is_v4 ? 12 : 8;
  const unsigned destination = is_v4 ? 16 : 24;
  const unsigned words = is_v4 ? 1 : 4;
  std::string program = fmt::format("{}", words * 4 + 2);
  for (unsigned word = 0; word < words; ++word) {
    const unsigned behind = (words - 1 - word) * 4;  // Instructions until "return true".
    // Load the destination's word, keep it in X, load the source's, go on if they are equal.
    program += fmt::format(",32 0 0 {},7 0 0 0,32 0 0 {},29 0 {} 0", destination + 4 * word,
                           source + 4 * word, behind + 1);
  }
  return program + ",6 0 0 65535,6 0 0 0";
}

// Prefixes of one family say nothing about the other, as for kube-proxy.
bool has_all_node_ports(const Config& config, kube::IpFamily family) {
  return config.node_port_scope == NodePortScope::All ||
         (config.node_port_scope == NodePortScope::Ranges &&
          std::none_of(
              config.node_port_ranges.begin(), config.node_port_ranges.end(),
              [&](const IpPrefix& range) { return kube::family_of(range.base()) == family; }));
}

// Builds one chain after the other.
class FixedChains {
 public:
  FixedChains(const Config& config, const NodeFacts& facts, kube::IpFamily family,
              const HasChain& has_chain)
      : config_(config),
        facts_(facts),
        is_v4_(family == kube::IpFamily::V4),
        family_(family),
        has_chain_(has_chain),
        mark_(fmt::format("{:#x}", 1U << config.masquerade_bit)) {}

  std::vector<FixedChain> build() {
    add_filter();
    add_nat_services();
    add_masquerading();
    return std::move(chains_);
  }

 private:
  void add_filter();
  void add_nat_services();
  void add_node_port_jumps(ChainBuilder& services) const;
  void add_masquerading();
  void add_hairpin(Table table, std::string_view action, ChainBuilder& chain) const;

  void put(Table table, ChainBuilder& chain) { chains_.push_back({table, chain.finish()}); }
  void jump_to_tree(Table table, std::string_view tree, std::string_view match,
                    ChainBuilder& chain) const {
    if (has_chain_(table, root_of(tree))) {
      chain.add(fmt::format("{}-j {}", match, root_of(tree)));
    }
  }

  const Config& config_;
  const NodeFacts& facts_;
  bool is_v4_;
  kube::IpFamily family_;
  const HasChain& has_chain_;
  std::string mark_;
  std::vector<FixedChain> chains_;
};

void FixedChains::add_filter() {
  ChainBuilder services{std::string(ServicesChain)};
  jump_to_tree(Table::Filter, ClusterIpTree, "", services);
  put(Table::Filter, services);

  ChainBuilder external{std::string(ExternalServicesChain)};
  jump_to_tree(Table::Filter, ExternalIpTree, "", external);
  jump_to_tree(Table::Filter, NodePortTree, "-m addrtype --dst-type LOCAL ", external);
  put(Table::Filter, external);

  ChainBuilder firewall{std::string(ProxyFirewallChain)};
  jump_to_tree(Table::Filter, ProxyFirewallTree, "", firewall);
  put(Table::Filter, firewall);

  ChainBuilder node_ports{std::string(NodePortsChain)};
  jump_to_tree(Table::Filter, HealthCheckTree, "", node_ports);
  put(Table::Filter, node_ports);

  ChainBuilder forward{std::string(ForwardChain)};
  if (config_.drop_invalid) {
    forward.add(InvalidRule);
  }
  forward.add(fmt::format(
      "-m comment --comment \"kubernetes forwarding rules\" -m mark --mark {0}/{0} -j ACCEPT",
      mark_));
  add_hairpin(Table::Filter, AcceptTarget, forward);  // It gets its mark on the way out only.
  forward.add(
      "-m comment --comment \"kubernetes forwarding conntrack rule\" -m conntrack --ctstate "
      "RELATED,ESTABLISHED -j ACCEPT");
  put(Table::Filter, forward);

  if (is_v4_ && config_.localhost_node_ports) {
    // route_localnet lets other hosts reach 127.0.0.0/8 (CVE-2020-8558).
    ChainBuilder local{std::string(FirewallChain)};
    local.add(
        "! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment \"block incoming localnet "
        "connections\" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP");
    put(Table::Filter, local);
  }
}

void FixedChains::add_nat_services() {
  ChainBuilder services{std::string(ServicesChain)};
  bool is_guarded = false;
  for (const IpPrefix& cidr : config_.service_cidrs) {
    if (kube::family_of(cidr.base()) == family_) {
      is_guarded = true;
      jump_to_tree(Table::Nat, ClusterIpTree, "-d " + cidr.to_text() + " ", services);
    }
  }
  if (!is_guarded) {
    jump_to_tree(Table::Nat, ClusterIpTree, "", services);
  }
  jump_to_tree(Table::Nat, ExternalIpTree, "", services);
  add_node_port_jumps(services);
  put(Table::Nat, services);

  ChainBuilder node_ports{std::string(NodePortsChain)};
  const bool counts_localhost = is_v4_ && config_.localhost_node_ports;
  if (counts_localhost) {
    node_ports.add(LocalhostEnteredRule);
  }
  jump_to_tree(Table::Nat, NodePortTree, "", node_ports);
  if (counts_localhost) {
    node_ports.add(LocalhostLeftRule);
  }
  put(Table::Nat, node_ports);
}

// Last, because an address of the node may also be a Service's.
void FixedChains::add_node_port_jumps(ChainBuilder& services) const {
  static constexpr std::string_view Comment =
      "-m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in "
      "this chain\"";
  if (has_all_node_ports(config_, family_)) {
    // No route leads from ::1 to another host, and from 127.0.0.0/8 only with route_localnet.
    const std::string_view loopback = !is_v4_                         ? "! -d ::1/128 "
                                      : !config_.localhost_node_ports ? "! -d 127.0.0.0/8 "
                                                                      : "";
    services.add(
        fmt::format("{}{} -m addrtype --dst-type LOCAL -j {}", loopback, Comment, NodePortsChain));
    return;
  }
  std::vector<IpAddress> addresses = facts_.addresses;
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  for (const IpAddress& address : addresses) {
    if (kube::family_of(address) == family_ && serves_node_ports_on(config_, facts_, address)) {
      services.add(fmt::format("-d {} {} -j {}", IpPrefix::around(address, 128).to_text(), Comment,
                               NodePortsChain));
    }
  }
}

// What is done to a packet of a Pod that was sent to itself.
void FixedChains::add_hairpin(Table table, std::string_view action, ChainBuilder& chain) const {
  if (config_.hairpin == Hairpin::Bpf) {
    chain.add(fmt::format("-m conntrack --ctstate DNAT -m bpf --bytecode \"{}\" -j {}",
                          hairpin_program(is_v4_), action));
  } else {
    jump_to_tree(table, HairpinTree, "-m conntrack --ctstate DNAT ", chain);
  }
}

void FixedChains::add_masquerading() {
  ChainBuilder mark{std::string(MarkChain)};
  mark.add(fmt::format("-j MARK --set-xmark {0}/{0}", mark_));
  put(Table::Nat, mark);

  ChainBuilder postrouting{std::string(PostroutingChain)};
  // A Pod that was sent to itself would get the answer of its own address, and drop it.
  add_hairpin(Table::Nat, MarkChain, postrouting);
  postrouting.add(fmt::format("-m mark ! --mark {0}/{0} -j RETURN", mark_));
  // A packet that passes here a second time, in a tunnel, has to come without the mark.
  postrouting.add(fmt::format("-j MARK --set-xmark {}/0x0", mark_));
  postrouting.add(fmt::format(
      "-m comment --comment \"kubernetes service traffic requiring SNAT\" -j MASQUERADE{}",
      config_.random_fully ? " --random-fully" : ""));
  put(Table::Nat, postrouting);
}

}  // namespace

std::optional<RuleCounter> counter_of(Table table, std::string_view chain,
                                      std::string_view rule) noexcept {
  if (table == Table::Filter && chain == ForwardChain && rule == InvalidRule) {
    return RuleCounter::InvalidDropped;
  }
  if (table == Table::Nat && chain == NodePortsChain) {
    if (rule == LocalhostEnteredRule) {
      return RuleCounter::LocalhostEntered;
    }
    if (rule == LocalhostLeftRule) {
      return RuleCounter::LocalhostLeft;
    }
  }
  return std::nullopt;
}

std::vector<Jump> fixed_jumps(const Config& config, kube::IpFamily family) {
  struct Line {
    Table table;
    std::string_view hook;
    bool is_new_only;
    std::string_view chain;
    std::string_view comment;
  };
  static constexpr std::string_view LoadBalancer = "kubernetes load balancer firewall";
  static constexpr std::string_view Portals = "kubernetes service portals";
  static constexpr std::string_view Visible = "kubernetes externally-visible service portals";
  static constexpr Line Lines[] = {
      {Table::Filter, "INPUT", true, ProxyFirewallChain, LoadBalancer},
      {Table::Filter, "INPUT", false, NodePortsChain, "kubernetes health check service ports"},
      {Table::Filter, "INPUT", true, ExternalServicesChain, Visible},
      {Table::Filter, "FORWARD", true, ProxyFirewallChain, LoadBalancer},
      {Table::Filter, "FORWARD", false, ForwardChain, "kubernetes forwarding rules"},
      {Table::Filter, "FORWARD", true, ServicesChain, Portals},
      {Table::Filter, "FORWARD", true, ExternalServicesChain, Visible},
      {Table::Filter, "OUTPUT", true, ProxyFirewallChain, LoadBalancer},
      {Table::Filter, "OUTPUT", true, ServicesChain, Portals},
      {Table::Nat, "PREROUTING", false, ServicesChain, Portals},
      {Table::Nat, "OUTPUT", false, ServicesChain, Portals},
      {Table::Nat, "POSTROUTING", false, PostroutingChain, "kubernetes postrouting rules"},
  };
  std::vector<Jump> jumps;
  if (family == kube::IpFamily::V4 && config.localhost_node_ports) {
    for (const char* hook : {"INPUT", "OUTPUT"}) {
      jumps.push_back({Table::Filter, hook, fmt::format("-j {}", FirewallChain)});
    }
  }
  for (const Line& line : Lines) {
    jumps.push_back({line.table, std::string(line.hook),
                     fmt::format("{}-m comment --comment \"{}\" -j {}",
                                 line.is_new_only ? "-m conntrack --ctstate NEW " : "",
                                 line.comment, line.chain)});
  }
  return jumps;
}

std::vector<FixedChain> fixed_chains(const Config& config, const NodeFacts& facts,
                                     kube::IpFamily family, const HasChain& has_chain) {
  return FixedChains(config, facts, family, has_chain).build();
}

bool serves_node_ports_on(const Config& config, const NodeFacts& facts, const IpAddress& address) {
  if (address.is_loopback() && !(address.is_v4() && config.localhost_node_ports)) {
    return false;
  }
  if (has_all_node_ports(config, kube::family_of(address))) {
    return true;
  }
  if (config.node_port_scope == NodePortScope::Primary) {
    return std::find(facts.node_ips.begin(), facts.node_ips.end(), address) != facts.node_ips.end();
  }
  return std::any_of(config.node_port_ranges.begin(), config.node_port_ranges.end(),
                     [&](const IpPrefix& range) { return range.contains(address); });
}

}  // namespace waypost::proxy
