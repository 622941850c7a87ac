#include "proxy/stale_flows.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace waypost::proxy {
namespace {

bool is_before(const SocketAddress& a, const SocketAddress& b) noexcept {
  return std::tie(a.address, a.port) < std::tie(b.address, b.port);
}

bool has(const std::vector<SocketAddress>& sorted, const SocketAddress& address) noexcept {
  return std::binary_search(sorted.begin(), sorted.end(), address, is_before);
}

std::vector<SocketAddress> difference(const std::vector<SocketAddress>& a,
                                      const std::vector<SocketAddress>& b) {
  std::vector<SocketAddress> left;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(left), is_before);
  return left;
}

void insert(std::vector<SocketAddress>& sorted, const std::vector<SocketAddress>& more) {
  std::vector<SocketAddress> all;
  std::set_union(sorted.begin(), sorted.end(), more.begin(), more.end(), std::back_inserter(all),
                 is_before);
  sorted = std::move(all);
}

}  // namespace

StaleFlows::Frontends StaleFlows::frontends_of(const std::vector<ServicePortView>& ports) {
  Frontends frontends;
  for (const ServicePortView& port : ports) {
    Endpoints all;
    Endpoints local;
    // Endpoints that end but still serve keep the flows they have, whether or not they get new
    // ones.
    for (const PortEndpoint& endpoint : port.endpoints) {
      if (endpoint.serving) {
        all.push_back({endpoint.address, endpoint.port});
        if (endpoint.is_local) {
          local.push_back(all.back());
        }
      }
    }
    std::sort(all.begin(), all.end(), is_before);
    std::sort(local.begin(), local.end(), is_before);
    frontends[{port.cluster_ip, port.port, port.protocol}] = port.is_internal_local ? local : all;
    // With externalTrafficPolicy: Local, Pods and this node still reach all of them.
    for (const auto* addresses : {&port.external_ips, &port.load_balancer_ips}) {
      for (const IpAddress& address : *addresses) {
        frontends[{address, port.port, port.protocol}] = all;
      }
    }
    if (port.node_port != 0) {
      frontends[{IpAddress(), port.node_port, port.protocol}] = all;
    }
  }
  return frontends;
}

void StaleFlows::note(const std::vector<ServicePortView>& before,
                      const std::vector<ServicePortView>& after) {
  const Frontends old = frontends_of(before);
  const Frontends now = frontends_of(after);
  for (const auto& [key, endpoints] : old) {
    const auto same = now.find(key);
    const Endpoints left = same != now.end() ? same->second : Endpoints();
    const Endpoints dead = difference(endpoints, left);
    if (!dead.empty()) {
      Frontend& frontend = frontends_[key];
      frontend.alive = left;
      frontend.is_there = same != now.end();
      insert(frontend.dead, dead);
    }
  }
  for (const auto& [key, endpoints] : now) {
    const auto same = old.find(key);
    const bool was_dead_end = same == old.end() || same->second.empty();
    const auto noted = frontends_.find(key);
    if (noted != frontends_.end()) {
      noted->second.alive = endpoints;
      noted->second.is_there = true;
    } else if (was_dead_end && !endpoints.empty()) {
      // Flows that began while nothing translated them.
      frontends_[key].alive = endpoints;
    }
  }
}

void StaleFlows::note_present(const std::vector<ServicePortView>& ports) {
  for (auto& [key, endpoints] : frontends_of(ports)) {
    if (std::get<kube::Protocol>(key) == kube::Protocol::Udp) {
      frontends_[key].alive = std::move(endpoints);
    }
  }
}

void StaleFlows::learn(const Frontends& frontends) {
  for (const auto& [key, endpoints] : frontends) {
    if (const auto noted = frontends_.find(key); noted != frontends_.end()) {
      insert(noted->second.alive, endpoints);
    }
  }
}

std::size_t StaleFlows::merge_older(StaleFlows other, std::size_t max_addresses) {
  std::size_t kept = 0;
  for (const auto& [key, frontend] : frontends_) {
    kept += frontend.weight();
  }
  std::size_t forgotten = 0;
  for (auto& [key, frontend] : other.frontends_) {
    if (kept + frontend.weight() > max_addresses) {
      ++forgotten;
      continue;
    }
    kept += frontend.weight();
    const auto [at, is_new] = frontends_.try_emplace(key, frontend);
    if (!is_new) {
      insert(at->second.dead, frontend.dead);
    }
  }
  return forgotten;
}

const StaleFlows::Frontend* StaleFlows::find(const Flow& flow,
                                             const std::vector<IpAddress>& own_addresses) const {
  auto at = frontends_.find({flow.to.address, flow.to.port, flow.protocol});
  if (at == frontends_.end() &&
      std::binary_search(own_addresses.begin(), own_addresses.end(), flow.to.address)) {
    at = frontends_.find({IpAddress(), flow.to.port, flow.protocol});
  }
  return at == frontends_.end() ? nullptr : &at->second;
}

bool StaleFlows::is_stale(const Flow& flow, const std::vector<IpAddress>& own_addresses) const {
  // A TCP connection that has begun ends by itself, also gracefully (k8s#102631).
  const bool can_be_stale = flow.protocol == kube::Protocol::Udp || flow.is_syn_sent;
  if (!can_be_stale) {
    return false;
  }
  const Frontend* frontend = find(flow, own_addresses);
  if (frontend == nullptr || has(frontend->alive, flow.replied_by)) {
    return false;
  }
  if (!frontend->is_there) {
    return has(frontend->dead, flow.replied_by);  // Known to have been translated by us.
  }
  // A SYN may also have been sent before there was anything to translate it.
  return flow.protocol == kube::Protocol::Udp || has(frontend->dead, flow.replied_by) ||
         flow.replied_by == flow.to;
}

}  // namespace waypost::proxy
