// What an operator wants done with queries before zones are asked: how much a client may ask, which
// name is looked up, who may ask for it, and what is answered from hosts and templates.
//
// A Policy is made of the operator's options as a whole, is immutable but for its clients' buckets,
// and is read by all workers (server::Views).  Where nothing is wanted there is none, and the
// packet path pays for a look at a null pointer.
//
// Not here: when to ask it and what the answers look like (server/responder.h).

#pragma once

#include "base/ip_address.h"
#include "policy/access.h"
#include "policy/answer_template.h"
#include "policy/answer_translation.h"
#include "policy/client_buckets.h"
#include "policy/hosts.h"
#include "policy/rewrite.h"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace waypost::policy {

// What an operator may choose.
struct Options {
  RateLimit limit;
  std::vector<RewriteRule> rewrites;
  std::vector<AccessRule> access;
  std::vector<TemplateRule> templates;
};

// What one thread needs for rules that work on names, about half a MiB.
struct Room {
  RewriteRoom rewriting;
  AnswerRoom answer;
  TemplateRoom templates;
};

class Policy {
 public:
  // Null when nothing is wanted.  `hosts` may be null.  Buckets are those of `before`, which may be
  // null, unless their limit has changed.  `readers` threads have a place in it.
  static std::unique_ptr<const Policy> make(const Options& options,
                                            std::shared_ptr<const Hosts> hosts,
                                            const Policy* before, std::uint64_t seed,
                                            std::size_t readers);

  // Whether the client has a token left, which it loses; `now` as for ClientBuckets.
  ClientBuckets::Verdict admit(const IpAddress& client, std::uint64_t now) const noexcept;
  LimitAction limit_action() const noexcept { return options_.limit.action; }

  // The rule that decides, or null: it is allowed.
  const AccessRule* find_rule(const dns::NameKey& name, dns::RecordType type,
                              const IpAddress& client) const noexcept {
    return policy::find_rule(options_.access, name, type, client);
  }

  const Rewriter& rewriter() const noexcept { return rewriter_; }
  const std::vector<TemplateRule>& templates() const noexcept { return options_.templates; }
  const Hosts* hosts() const noexcept { return hosts_.get(); }
  // That of the thread at `place`, which alone uses it; null when no rule needs one.  REQUIRES:
  // `place` is below `readers`.
  Room* room(std::size_t place) const noexcept {
    assert(place < readers_);
    return rooms_.empty() ? nullptr : rooms_[place].get();
  }
  // Whether a name's addresses are other than those that zones and other servers have, or may be.
  // Overwrites what `room` holds, which is that of the calling thread.
  bool decides_addresses(const dns::NameKey& name, Room* room) const noexcept;

 private:
  Policy(const Options& options, std::shared_ptr<const Hosts> hosts,
         std::shared_ptr<ClientBuckets> buckets, std::size_t readers);

  const Options options_;
  const Rewriter rewriter_;
  const std::shared_ptr<const Hosts> hosts_;
  const std::shared_ptr<ClientBuckets> buckets_;  // Null: there is no limit.
  const std::size_t readers_;
  std::vector<std::unique_ptr<Room>> rooms_;  // Of each reader, or none.
};

}  // namespace waypost::policy
