#include "proxy/explanation.h"

#include "proxy/endpoint_choice.h"
#include "proxy/fixed_chains.h"
#include "proxy/service_port.h"
#include "proxy/service_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace waypost::proxy {
namespace {

// How a Service port is reached.
enum class Door : std::uint8_t { ClusterIp, ExternalIp, LoadBalancer, NodePort };

bool has(const std::vector<IpAddress>& addresses, const IpAddress& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

std::optional<Door> door_for(const ServicePortView& view, const NodeFacts& facts,
                             const Packet& packet) {
  if (view.protocol != packet.protocol) {
    return std::nullopt;
  }
  if (view.port == packet.port) {
    if (view.cluster_ip == packet.destination) {
      return Door::ClusterIp;
    }
    if (has(view.load_balancer_ips, packet.destination)) {
      return Door::LoadBalancer;
    }
    if (has(view.external_ips, packet.destination)) {
      return Door::ExternalIp;
    }
  }
  const bool is_own = has(facts.addresses, packet.destination) || packet.destination.is_loopback();
  return view.node_port == packet.port && view.node_port != 0 && is_own
             ? std::optional(Door::NodePort)
             : std::nullopt;
}

std::string_view to_text(Door door) noexcept {
  switch (door) {
    case Door::ClusterIp:
      return "the ClusterIP";
    case Door::ExternalIp:
      return "an external IP";
    case Door::LoadBalancer:
      return "a load balancer's address";
    case Door::NodePort:
      return "the NodePort";
  }
  return {};
}

// Collects the reasons for one Service port.
class Reasons {
 public:
  Reasons(const ServicePortView& view, Door door, const Config& config, const NodeFacts& facts,
          const Packet& packet)
      : view_(view),
        door_(door),
        config_(config),
        facts_(facts),
        packet_(packet),
        choice_(choose_endpoints(view, facts.name, facts.zone)) {}

  std::vector<std::string> tell();

 private:
  void add(std::string line) { lines_.push_back("  " + std::move(line)); }
  bool is_local_policy() const noexcept {
    return door_ == Door::ClusterIp ? view_.is_internal_local : view_.is_external_local;
  }
  bool is_from_pod() const;
  bool is_from_node() const {
    return packet_.source.is_loopback() || has(facts_.addresses, packet_.source);
  }
  bool tell_node_port();  // Whether the address serves NodePorts at all.
  void tell_ranges();
  bool tell_policy();  // Whether the endpoints on this node are what counts.
  void tell_topology();
  void tell_endpoints(bool is_local);
  std::string_view why_not(const PortEndpoint& endpoint, bool is_local) const;

  const ServicePortView& view_;
  const Door door_;
  const Config& config_;
  const NodeFacts& facts_;
  const Packet& packet_;
  const EndpointChoice choice_;
  std::vector<std::string> lines_;
};

bool Reasons::is_from_pod() const {
  switch (config_.local_detector) {
    case LocalDetector::None:
      return false;
    case LocalDetector::SourceCidr:
    case LocalDetector::NodeCidr: {
      const IpPrefix* cidr = local_cidr(config_, facts_, kube::family_of(packet_.source));
      return cidr != nullptr && cidr->contains(packet_.source);
    }
    case LocalDetector::Bridge:
      return packet_.in_interface == config_.interface;
    case LocalDetector::InterfacePrefix:
      return packet_.in_interface.starts_with(config_.interface);
  }
  return false;
}

bool Reasons::tell_node_port() {
  const IpAddress& address = packet_.destination;
  if (door_ != Door::NodePort || serves_node_ports_on(config_, facts_, address)) {
    return true;
  }
  const std::string text = address.to_text();
  if (address.is_loopback() && !address.is_v4()) {
    add(fmt::format("{} serves no NodePorts: not translated", text));
  } else if (address.is_loopback() && !config_.localhost_node_ports) {
    add(fmt::format("localhostNodePorts: {} serves NodePorts only with it: not translated", text));
  } else if (config_.node_port_scope == NodePortScope::Primary) {
    add(fmt::format("nodePortAddresses: primary: {} is not this node's own address: not translated",
                    text));
  } else {
    add(fmt::format("nodePortAddresses: {} is within none of them: not translated", text));
  }
  return false;
}

void Reasons::tell_ranges() {
  if (door_ != Door::LoadBalancer || view_.source_ranges.empty() || !choice_.has_any) {
    return;
  }
  for (const IpPrefix& range : view_.source_ranges) {
    if (range.contains(packet_.source)) {
      add(fmt::format("loadBalancerSourceRanges: {} is within {}", packet_.source.to_text(),
                      range.to_text()));
      return;
    }
  }
  const IpPrefix* of_node = range_of_node(view_, facts_);
  if (of_node != nullptr && has(view_.load_balancer_ips, packet_.source)) {
    add(fmt::format(
        "loadBalancerSourceRanges: {} is the load balancer's own address, as a connection of this "
        "node to it has it, and the node is within {}",
        packet_.source.to_text(), of_node->to_text()));
    return;
  }
  add(fmt::format("loadBalancerSourceRanges: {} is within none of them: dropped",
                  packet_.source.to_text()));
}

bool Reasons::tell_policy() {
  const std::string_view name =
      door_ == Door::ClusterIp ? "internalTrafficPolicy" : "externalTrafficPolicy";
  if (!is_local_policy()) {
    add(fmt::format("{}: Cluster: endpoints on every node", name));
    return false;
  }
  if (door_ != Door::ClusterIp && (is_from_pod() || is_from_node())) {
    add(fmt::format("{}: Local, but the source is {}: endpoints on every node", name,
                    is_from_pod() ? "a Pod of the cluster" : "this node"));
    return false;
  }
  add(fmt::format("{}: Local: endpoints on node {} only", name, facts_.name));
  return true;
}

void Reasons::tell_topology() {
  switch (choice_.topology) {
    case Topology::SameNode:
      add(fmt::format("topology: endpoints whose hint is node {}", facts_.name));
      return;
    case Topology::SameZone:
      add(fmt::format("topology: endpoints whose hint is zone {}", facts_.zone));
      return;
    case Topology::Everywhere:
      break;
  }
  const auto is_hinted = [](const PortEndpoint& endpoint) {
    return !endpoint.zone_hints.empty() || !endpoint.node_hints.empty();
  };
  if (std::none_of(view_.endpoints.begin(), view_.endpoints.end(), is_hinted)) {
    return;
  }
  const bool is_complete = std::all_of(
      view_.endpoints.begin(), view_.endpoints.end(),
      [&](const PortEndpoint& endpoint) { return !endpoint.ready || is_hinted(endpoint); });
  add(is_complete ? fmt::format("topology: no hint is node {} or zone {}: all endpoints",
                                facts_.name, facts_.zone.empty() ? "(none)" : facts_.zone)
                  : "topology: a ready endpoint has no hint: all endpoints");
}

std::string_view Reasons::why_not(const PortEndpoint& endpoint, bool is_local) const {
  if (is_local && !endpoint.is_local) {
    return "on another node";
  }
  if (endpoint.terminating && endpoint.serving) {
    return "terminating, and others are ready";
  }
  if (!endpoint.ready) {
    return endpoint.terminating ? "terminating, and not serving" : "not ready";
  }
  return "its hint is elsewhere";
}

void Reasons::tell_endpoints(bool is_local) {
  const std::vector<const PortEndpoint*>& used = is_local ? choice_.local : choice_.cluster;
  if (is_local ? choice_.is_local_terminating : choice_.is_cluster_terminating) {
    add("no endpoint is ready: those that still serve while they terminate");
  }
  if (view_.endpoints.empty()) {
    add("no endpoints: rejected");
  } else if (!choice_.has_any) {
    add("no endpoint is ready, or serves while it terminates: rejected");
  } else if (used.empty()) {
    add("none of the endpoints is on this node: dropped");
  }
  for (const PortEndpoint& endpoint : view_.endpoints) {
    const bool is_used = std::find(used.begin(), used.end(), &endpoint) != used.end();
    add(fmt::format("endpoint {}{}: {}", endpoint.to_text(),
                    endpoint.is_local ? " (this node)" : "",
                    is_used ? std::string_view("used") : why_not(endpoint, is_local)));
  }
  if (view_.affinity_seconds != 0) {
    add(fmt::format("sessionAffinity: ClientIP: the endpoint of the last {} s, if there is one",
                    view_.affinity_seconds));
  }
}

std::vector<std::string> Reasons::tell() {
  lines_.push_back(fmt::format("Service {}: {} {}, port {}/{}", view_.name,
                               packet_.destination.to_text(), "is " + std::string(to_text(door_)),
                               packet_.port, kube::to_text(view_.protocol)));
  if (!tell_node_port()) {
    return std::move(lines_);
  }
  tell_ranges();
  const bool is_local = tell_policy();
  if (!is_local) {
    tell_topology();
  }
  tell_endpoints(is_local);
  return std::move(lines_);
}

std::string verdict_text(const Outcome& outcome) {
  switch (outcome.verdict) {
    case Verdict::Dropped:
      return "dropped";
    case Verdict::Rejected:
      return "rejected";
    case Verdict::Accepted:
      break;
  }
  if (!outcome.is_translated) {
    return outcome.is_masqueraded ? "goes on as it is, masqueraded" : "goes on as it is";
  }
  return fmt::format("to {}{}", outcome.destination.to_text(),
                     outcome.is_masqueraded ? ", masqueraded" : ", with its own source address");
}

}  // namespace

std::vector<std::string> explain_services(const cache::ServiceCache& cache, const Config& config,
                                          const NodeFacts& facts, const Packet& packet) {
  std::map<std::string, std::vector<std::string>> found;
  cache.for_each_service([&](const kube::ObjectKey&, const cache::ServiceState& state) {
    for (const ServicePortView& view :
         view_ports(state, kube::family_of(packet.destination), facts.name)) {
      if (const auto door = door_for(view, facts, packet)) {
        found[view.port_id] = Reasons(view, *door, config, facts, packet).tell();
      }
    }
  });
  std::vector<std::string> lines;
  for (auto& [name, reasons] : found) {
    lines.insert(lines.end(), reasons.begin(), reasons.end());
  }
  if (lines.empty()) {
    lines.push_back(fmt::format("no Service has {}, port {}/{}", packet.destination.to_text(),
                                packet.port, kube::to_text(packet.protocol)));
  }
  return lines;
}

std::vector<std::string> explain_ways(const RuleSet& rules, const NodeFacts& facts,
                                      const Packet& packet,
                                      const std::set<std::pair<Table, std::string>>& dropping) {
  const Evaluation evaluation = evaluate(rules, facts, packet, dropping);
  std::vector<std::string> lines;
  for (const Outcome& outcome : evaluation.outcomes) {
    lines.push_back(fmt::format("{:.1f} %: {}", 100 * outcome.probability, verdict_text(outcome)));
    for (const Step& step : outcome.way) {
      lines.push_back(fmt::format("  {} {} {}", to_text(step.table), step.chain, step.rule));
    }
  }
  for (const std::string& condition : evaluation.unjudged) {
    lines.push_back("not judged, taken as not met: " + condition);
  }
  if (!evaluation.is_complete) {
    lines.push_back("incomplete: " + evaluation.fault);
  }
  return lines;
}

}  // namespace waypost::proxy
