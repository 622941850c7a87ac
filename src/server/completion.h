// Search completion: a name that does not exist and is the first step of a Pod's search walk is
// answered with a CNAME to the first name of the walk that has addresses, and its records, so that
// the Pod has its answer in one round trip.
//
// What decides is whether a name has addresses of either family, so that A and AAAA agree and a
// resolver's walk ends with both: where only the other family exists, the answer is the CNAME and
// NODATA.  Names without any address are passed over, as glibc does.  What cannot be told ends the
// walk, because a later name would perhaps be the wrong one.  What a rule of the operator is about
// is left to the client, whose query for that name meets the rule.
//
// Inside this room only.  Not here: who asks (search/pod_directory.h), the names
// (search/walk.h), the records behind the CNAME (server/responder.cpp).

#pragma once

#include "base/ip_address.h"
#include "dns/lookup.h"
#include "dns/message_writer.h"
#include "dns/query.h"
#include "records/index.h"
#include "resolver/answer_cache.h"
#include "resolver/question.h"
#include "resolver/resolution.h"
#include "search/walk.h"
#include "server/authority.h"
#include "server/counters.h"
#include "zones/zone_set.h"

namespace waypost::policy {
class Policy;
struct Room;
}  // namespace waypost::policy

namespace waypost::search {
class PodDirectory;
}

namespace waypost::server {

// On the stack, for one answer.  No allocation, lock or system call.
class Completion {
 public:
  struct Sources {
    const records::Index& index;
    const zones::ZoneSet& zones;
    const resolver::AnswerCache* answers;  // Null: no other server is asked.
    const search::PodDirectory& pods;
    const policy::Policy* rules;  // Null: there are none.
    policy::Room* room;           // As policy::Policy::room().
    dns::RecordType unusable;     // AnswerPolicy's.
  };

  // `now` is in seconds of the monotonic clock; `resolution` is of a question that was asked
  // elsewhere for this query, or null; so is `progress`.
  Completion(const Sources& sources, const dns::Query& query, std::uint32_t now,
             const resolver::Resolution* resolution, search::WalkProgress* progress,
             dns::Rotation& rotation, dns::MessageWriter& out) noexcept;

  struct Result {
    SearchOutcome outcome = SearchOutcome::None;
    bool is_missing = false;  // The question noted is to be asked first; nothing is decided.
    // Where the question noted is worth being asked for again: its answer.
    const resolver::CachedAnswer* due = nullptr;
    bool has_other_family = false;  // Another server has the name, with the type not asked for.
  };

  // REQUIRES: the query's name does not exist in `owner`, and nothing but the question is written.
  // Where the walk leads to a name, writes the CNAME and fills `target`, which is left alone
  // otherwise.  Failed: of `resolution`, which is what could not be told.
  Result run(const Authority& owner, const IpAddress& client, dns::Target& target,
             resolver::Question& elsewhere) noexcept;

 private:
  enum class Finding : std::uint8_t { Nothing, Something, Later, Failed, Refused };
  // What is at hand of other servers' answers.
  enum class Known : std::uint8_t { Addresses, NoAddresses, NoName, Unknown, Failed, Refused };

  bool is_candidate(const Authority& owner) const noexcept;
  bool is_ruled(const dns::NameKey& name) const noexcept;
  Finding find(const dns::NameKey& name, unsigned step) noexcept;
  Finding find_here(const Authority& authority, const dns::NameKey& name,
                    records::Index::Search& search) noexcept;
  bool has_records(const zones::Zone& zone, const dns::NameKey& name,
                   dns::RecordType type) noexcept;
  Finding find_elsewhere(const dns::NameKey& name, unsigned step) noexcept;
  Finding decide_elsewhere(const dns::NameKey& name, unsigned step) noexcept;
  Known look(const dns::NameKey& name, dns::RecordType type) noexcept;
  void note(const dns::NameKey& name, dns::RecordType type) noexcept;

  const Sources sources_;
  const dns::Query& query_;
  const dns::RecordType other_type_;
  IpAddress client_;
  const std::uint32_t now_;
  const resolver::Resolution* resolution_;
  search::WalkProgress own_progress_;  // Where the caller has none.
  search::WalkProgress& progress_;
  dns::Rotation& rotation_;
  dns::MessageWriter& out_;
  resolver::Question* elsewhere_ = nullptr;
  Result result_;
};

}  // namespace waypost::server
