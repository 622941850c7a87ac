// What an operator chose about answers as such and about who gets them, published to the workers.
//
// Not here: what the rules mean (policy/policy.h), what is chosen (ops/config.h).

#pragma once

#include "cache/service_cache.h"
#include "dns/edns.h"
#include "ops/config.h"
#include "ops/families.h"
#include "ops/followed_files.h"
#include "ops/metrics.h"
#include "ops/problem_log.h"
#include "policy/policy.h"
#include "server/responder.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

namespace waypost::ops {

// Control thread only.
class QueryRules {
 public:
  // `context` and `views` are borrowed and outlive this object.  `secret` is the one behind cookies
  // where the configuration has none; absent: a random one.  `readers` have a place in the policy.
  QueryRules(boost::asio::io_context& context, server::Views& views, std::size_t readers,
             const std::optional<dns::CookieMaker::Secret>& secret);
  // REQUIRES: no reader is left.
  ~QueryRules();
  QueryRules(const QueryRules&) = delete;
  QueryRules& operator=(const QueryRules&) = delete;

  const dns::CookieMaker::Secret& own_secret() const noexcept { return own_secret_; }

  // Puts `config` in force, and follows the files of hosts that it names.
  void configure(const Config& config);
  // Reads the files of hosts again; one that is gone counts as it last was.
  void reload_hosts();
  // Looks which address families there are, where that matters, but not more often than every half
  // minute.
  void look_at(const cache::ServiceCache& cache);

  // What docs/metrics.md says of hosts.
  void collect(Scrape& scrape) const;

 private:
  static constexpr std::chrono::seconds LookInterval{30};

  void publish_answers();
  void load_hosts();
  void on_hosts_changed();

  server::Views& views_;
  const std::size_t readers_;
  const dns::CookieMaker::Secret own_secret_;
  server::AnswerPolicy answers_;
  Families families_ = Families::Both;
  policy::Options options_;
  HostConfig host_config_;
  FollowedFiles host_files_;
  std::shared_ptr<const policy::Hosts> hosts_;
  std::size_t bad_host_lines_ = 0;
  ProblemLog host_problems_{"hosts"};
  FamilySigns signs_;
  std::chrono::steady_clock::time_point next_look_{};
  std::unique_ptr<const server::AnswerPolicy> policy_;
  std::unique_ptr<const policy::Policy> rules_;
};

}  // namespace waypost::ops
