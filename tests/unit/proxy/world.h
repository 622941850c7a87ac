// A world in a few words, the rules for it, and packets sent through them.

#pragma once

#include "cache/service_cache.h"
#include "proxy/compiler.h"
#include "proxy/evaluator.h"

#include <doctest/doctest.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::proxy {

// The cluster of the flow tests: Pods in 10.0.0.0/8 and fd00:10::/64, Services in 172.30.0.0/16 and
// fd00:172:30::/112, this node "here" in zone "a" with 192.168.0.2 and 2001:db8::1, and
// 192.168.1.2 and 2001:db8:1::2 besides.
Config test_config();
NodeFacts test_facts();

IpAddress ip(std::string_view text);
IpPrefix prefix(std::string_view text);

// A Service's manifest; `spec` without braces, `rest` after it ("status: …").
std::string service(std::string_view name, std::string_view spec, std::string_view rest = {});
// An EndpointSlice's: `ports` as in "{name: http, port: 80}, …", each endpoint as its address and
// words: here, there (its node), unready, ending (not ready, terminating, still serving), dead (not
// ready, terminating, not serving), zones=a/b, nodes=here/there.
std::string slice(std::string_view service, std::string_view ports,
                  std::initializer_list<std::string_view> endpoints,
                  std::string_view slice_name = {});

class ProxyWorld : private cache::Consumer {
 public:
  explicit ProxyWorld(std::string_view yaml, const Config& config = test_config(),
                      const NodeFacts& facts = test_facts());
  ~ProxyWorld() override;
  ProxyWorld(const ProxyWorld&) = delete;
  ProxyWorld& operator=(const ProxyWorld&) = delete;

  // Puts objects in; fails the test for any problem in them.
  void put(std::string_view yaml);
  void erase_service(std::string_view name);
  void erase_slice(std::string_view name);

  Compiler& compiler(kube::IpFamily family = kube::IpFamily::V4);
  // The rules of one family as text, settled.
  std::string rules(kube::IpFamily family = kube::IpFamily::V4);
  // The rules of one chain of nat, one a line; "absent".
  std::string chain(std::string_view name, Table table = Table::Nat);

  // What becomes of "FROM > ADDRESS:PORT[/PROTOCOL]".  FROM is an address, or pod, node, ext,
  // blocked, localhost.  "A:P, B:P" are the endpoints that it may come to, with " masq" behind them
  // when it is masqueraded; DROP, REJECT; ACCEPT when a rule accepts it as it is; "" when none does
  // anything.  Different outcomes are separated by " | ".
  std::string flow(std::string_view packet);

  cache::ServiceCache cache;

 private:
  void on_service(const cache::ServiceDelta& delta) override;
  void on_namespace(const cache::ObjectDelta<kube::Namespace>& /*delta*/) override {}
  void on_pod(const cache::ObjectDelta<kube::Pod>& /*delta*/) override {}
  void on_synced() override {}
  void on_resource_version(std::uint64_t /*version*/) override {}

  Compiler v4_;
  Compiler v6_;
};

struct FlowCase {
  std::string_view packet;
  std::string_view expected;
};
// Checks each flow; a failure shows the packet and the way that it went.
void check_flows(ProxyWorld& world, std::initializer_list<FlowCase> flows);

// What is wrong with a rule set: jumps to chains that are missing, chains that nothing leads to,
// names that are too long, more chains on top of each other than iptables-nft takes, rules that
// cannot be read.
std::vector<std::string> find_inconsistencies(const RuleSet& rules);

}  // namespace waypost::proxy
