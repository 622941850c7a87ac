// What an operator wants done with queries before zones are asked: how much a client may ask, and
// who may ask for what.
//
// A Policy is made of the operator's options as a whole, is immutable but for its clients' buckets,
// and is read by all workers (server::Views).  Where nothing is wanted there is none, and the
// packet path pays for a look at a null pointer.
//
// Not here: when to ask it and what the answers look like (server/responder.h).

#pragma once

#include "base/ip_address.h"
#include "policy/access.h"
#include "policy/client_buckets.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace waypost::policy {

// What an operator may choose.
struct Options {
  RateLimit limit;
  std::vector<AccessRule> access;
};

class Policy {
 public:
  // Null when `options` want nothing.  Buckets are those of `before`, which may be null, unless
  // their limit has changed.
  static std::unique_ptr<const Policy> make(const Options& options, const Policy* before,
                                            std::uint64_t seed);

  // Whether the client has a token left, which it loses; `now` as for ClientBuckets.
  ClientBuckets::Verdict admit(const IpAddress& client, std::uint64_t now) const noexcept;
  LimitAction limit_action() const noexcept { return options_.limit.action; }

  // The rule that decides, or null: it is allowed.
  const AccessRule* find_rule(const dns::NameKey& name, dns::RecordType type,
                              const IpAddress& client) const noexcept {
    return policy::find_rule(options_.access, name, type, client);
  }

 private:
  Policy(const Options& options, std::shared_ptr<ClientBuckets> buckets)
      : options_(options), buckets_(std::move(buckets)) {}

  const Options options_;
  const std::shared_ptr<ClientBuckets> buckets_;  // Null: there is no limit.
};

}  // namespace waypost::policy
