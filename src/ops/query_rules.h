// What an operator chose about answers as such and about who gets them, published to the workers.
//
// Not here: what the rules mean (policy/policy.h), what is chosen (ops/config.h).

#pragma once

#include "cache/service_cache.h"
#include "dns/edns.h"
#include "ops/config.h"
#include "ops/families.h"
#include "policy/policy.h"
#include "server/responder.h"

#include <chrono>
#include <memory>
#include <optional>

namespace waypost::ops {

// Control thread only.
class QueryRules {
 public:
  // `views` is borrowed and outlives this object.  `secret` is the one behind cookies where the
  // configuration has none; absent: a random one.
  QueryRules(server::Views& views, const std::optional<dns::CookieMaker::Secret>& secret);
  // REQUIRES: no reader is left.
  ~QueryRules();
  QueryRules(const QueryRules&) = delete;
  QueryRules& operator=(const QueryRules&) = delete;

  const dns::CookieMaker::Secret& own_secret() const noexcept { return own_secret_; }

  // Puts `config` in force.
  void configure(const Config& config);
  // Looks which address families there are, where that matters, but not more often than every half
  // minute.
  void look_at(const cache::ServiceCache& cache);

 private:
  static constexpr std::chrono::seconds LookInterval{30};

  void publish_answers();

  server::Views& views_;
  const dns::CookieMaker::Secret own_secret_;
  server::AnswerPolicy answers_;
  Families families_ = Families::Both;
  FamilySigns signs_;
  std::chrono::steady_clock::time_point next_look_{};
  std::unique_ptr<const server::AnswerPolicy> policy_;
  std::unique_ptr<const policy::Policy> rules_;
};

}  // namespace waypost::ops
