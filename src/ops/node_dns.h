// DNS on the node itself: from addresses on an interface of this process' own to answers made of
// the ServiceCache that rules are made of.
//
//     ServiceCache ──► Gate ──► names ──► workers on the node's addresses
//          └──► rules for Services ──┘ in force
//
// Rules of table raw keep connection tracking away from these addresses (proxy/dns_rules.h).  They
// come before the addresses do; the cluster DNS Service's own addresses come last, once the
// cluster's names can be answered, so that until then, and from the moment the interface has gone,
// packets to them meet the rules for Services.  What somebody else removes of all this is put back:
// rules by their Applier, addresses within a second.
//
// Not here: flags and the file (ops/node_dns_config.h), rules for Services (proxy/family_proxy.h).

#pragma once

#include "base/error.h"
#include "cache/gate.h"
#include "cache/service_cache.h"
#include "ops/answering.h"
#include "ops/config_follower.h"
#include "ops/host_searches.h"
#include "ops/node_dns_config.h"
#include "ops/world.h"
#include "proxy/applier.h"
#include "proxy/iptables.h"
#include "proxy/local_device.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace waypost::ops {

// A name waits at most so long for its rules.  Stub resolvers give up after five seconds, twice.
inline constexpr std::chrono::seconds MaxNameHold{10};

// Control thread only.
class NodeDns {
 public:
  struct Surroundings {
    proxy::Backend backend;
    bool has_ipv6;   // Without, addresses of IPv6 are left out.
    bool has_rules;  // Rules for Services are made here, so that names wait for them.
    bool is_dated;   // An API server tells of the cluster, so that it is known when it changed.
    std::function<void()> on_ready;
  };

  // Opens the sockets and begins to bring the addresses up.  `context` and `cache` are borrowed,
  // and outlive this object; nothing has been put into `cache` yet.  `context` does not run any
  // more when this object is destroyed.
  static Result<std::unique_ptr<NodeDns>> start(boost::asio::io_context& context,
                                                cache::ServiceCache& cache,
                                                const NodeDnsConfig& config,
                                                Surroundings surroundings);
  // Removes the interface and closes the sockets; rules of table raw stay, and match nothing then.
  ~NodeDns();
  NodeDns(const NodeDns&) = delete;
  NodeDns& operator=(const NodeDns&) = delete;

  // Reads the file and the static zones again.
  void reload();
  // The rules of that many deltas of Services are in force, in every family.
  void on_in_force(std::uint64_t changes);

  // Every object is known.
  void on_synced() { bring_up(); }
  // Addresses of this host are others than before: perhaps ours.
  void on_addresses();

  // Whether every address is there and every name is known.
  bool is_ready() const noexcept;

  // As docs/metrics.md, and what is counted here.
  void collect(Scrape& scrape);
  FlushCache flush() { return answering_->flush(); }
  // What is answered where, for people: a line for each address.
  std::vector<std::string> places() const;

  // Removes the interface, closes the sockets, and removes the rules of table raw.  Blocks for as
  // long as iptables-restore takes.  Returns one line of totals.  REQUIRES: `context` does not run.
  std::string stop();

 private:
  struct Family {
    Family(proxy::Backend backend, kube::IpFamily its) : family(its), tables(backend, its) {}
    kube::IpFamily family;
    proxy::Iptables tables;
    std::optional<proxy::Applier> applier;
    bool was_tried = false;
    std::uint64_t failures = 0;
  };

  NodeDns(boost::asio::io_context& context, cache::ServiceCache& cache, const NodeDnsConfig& config,
          Surroundings surroundings);
  Result<void> open();
  void add_family(kube::IpFamily family);
  records::Options record_options(const records::Options& wanted) const;
  void put_in_force(Config next);
  void on_tick();
  void await_tick();
  bool is_known() const;
  bool is_there(const IpAddress& address) const noexcept;
  std::size_t count_there(const std::vector<IpAddress>& addresses) const noexcept;
  void verify();
  void bring_up();
  void add_missing(const std::vector<IpAddress>& addresses, std::string& problem);
  void tell(std::string problem);

  boost::asio::io_context& context_;
  cache::ServiceCache& cache_;
  const Surroundings surroundings_;
  std::vector<IpAddress> local_;
  std::vector<IpAddress> cluster_;
  const std::string interface_;
  Config config_;         // The last that was good.
  const Config started_;  // Whose sockets and threads are in use.
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();

  std::optional<cache::Gate> gate_;  // Where rules are made.
  server::Views views_;
  World world_{views_};
  HostSearches host_searches_;
  std::optional<Answering> answering_;
  std::optional<ConfigFollower> follower_;
  std::vector<std::unique_ptr<Family>> families_;
  std::optional<proxy::LocalDevice> device_;  // Nothing while it cannot be made again.
  std::vector<IpAddress> there_;              // Which addresses it has, as last known.
  std::uint64_t lost_ = 0;                    // Times that an address was gone.
  std::string device_problem_;  // Why it is not as it should be, when last looked at; or empty.
  std::string problem_;         // Why an address is missing, as last told; or empty.
  bool was_ready_ = false;      // When bring_up() was last called.
  boost::asio::steady_timer tick_;
};

}  // namespace waypost::ops
