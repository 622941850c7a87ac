// One answer while it is made: what owns the name, what it says, and where that leads.  Inside this
// room only.
//
// Not here: the query's way to it (server/responder.cpp), rules before zones (server/rules.cpp).

#pragma once

#include "dns/lookup.h"
#include "dns/message_writer.h"
#include "policy/policy.h"
#include "resolver/answer_cache.h"
#include "search/walk.h"
#include "server/authority.h"
#include "server/responder.h"
#include "zones/zone_set.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace waypost::server {

// What one response is made with, on the stack.
class Answer {
 public:
  using Outcome = dns::Outcome;
  using Rcode = dns::Rcode;
  using RecordType = dns::RecordType;
  using Search = records::Index::Search;

  // `unusable` is an AnswerPolicy's.
  Answer(const Views& views, const records::Index& index, const dns::Query& query,
         const Client& client, RecordType unusable, const resolver::Resolution* resolution,
         search::WalkProgress* progress, resolver::Question& elsewhere, dns::Rotation& rotation,
         dns::MessageWriter& out) noexcept
      : index_(index),
        zones_(*views.zones.load(std::memory_order_acquire)),
        answers_(views.answers.load(std::memory_order_acquire)),
        is_stale_(views.is_stale.load(std::memory_order_relaxed)),
        views_(views),
        query_(query),
        client_(client),
        unusable_(unusable),
        resolution_(resolution),
        progress_(progress),
        elsewhere_(elsewhere),
        rotation_(rotation),
        out_(out) {}

  // Fills sections, rcode and AA for a query of class IN.  `search` was begun with its name.
  void resolve(Search& search, dns::Target& first, dns::Target& second) noexcept {
    resolve(query_.name, dns::QuestionOffset, search, first, second);
  }
  // True when the name is the apex of a zone that can be transferred; sets NOTAUTH otherwise.
  bool is_transferable(Search& search) noexcept;
  // The whole answer to an IXFR over UDP: the SOA, from which the client sees whether to come back
  // over TCP (RFC 1995, 2).
  void answer_soa(Search& search) noexcept;

  // What a rule decided before anybody was asked.
  void refuse(dns::ExtendedError error, std::string_view text) noexcept {
    fail(Rcode::Refused, error, text);
  }
  void filter(std::string_view text) noexcept;
  void fail(Rcode rcode, dns::ExtendedError error, std::string_view text) noexcept;

  // From here on these rules are looked at, with `room`, which may be null where none needs one.
  void follow(const policy::Policy& rules, policy::Room* room) noexcept {
    rules_ = &rules;
    room_ = room;
  }
  // Asks templates and hosts; false: they say nothing, and zones are asked.  REQUIRES: follow().
  bool resolve_by_rules(dns::Target& first, dns::Target& second) noexcept;
  // The name is one that a rule made: it is no step of anybody's search walk.
  void set_rewritten() noexcept { is_rewritten_ = true; }
  // Takes over everything but what was written, from an answer to what the query was rewritten to.
  void take_over(const Answer& rewritten) noexcept;

  // What the cache said of a name that nobody here owns.
  bool is_missing() const noexcept { return is_missing_; }
  bool is_from_cache() const noexcept { return is_from_cache_; }
  bool claims_refresh() const noexcept { return due_ != nullptr && due_->claim(); }
  bool is_unusable() const noexcept { return is_unusable_; }
  SearchOutcome search_outcome() const noexcept { return search_; }
  // Who answered before zones were asked.
  enum class Source : std::uint8_t { Zones, Hosts, Template, BrokenTemplate };
  Source source() const noexcept { return source_; }

  std::optional<dns::ExtendedError> extended_error() const noexcept { return extended_error_; }
  std::string_view extended_text() const noexcept { return extended_text_; }

 private:
  Authority find_authority(const dns::NameKey& name, Search& search) const noexcept {
    return server::find_authority(index_, zones_, name, search);
  }
  Outcome solve(const Authority& authority, const dns::Lookup& lookup, Search& search,
                dns::Target& next) noexcept;
  // From a name on, which stands in the message at `start_owner`.
  void resolve(const dns::NameKey& start, std::uint16_t start_owner, Search& search,
               dns::Target& first, dns::Target& second) noexcept;
  // What there is to say of a name of the cluster before the cluster is known.
  [[gnu::noinline]] Outcome solve_unready(const Authority& authority,
                                          const dns::NameKey& name) noexcept;
  void resolve_elsewhere(const dns::NameKey& name, std::uint16_t owner) noexcept;
  void note_elsewhere(const resolver::CacheKey& key) noexcept;
  void write_elsewhere(const resolver::CachedAnswer& answer, resolver::TtlMode ttl,
                       std::uint16_t owner) noexcept;
  void conclude(Outcome outcome, const Authority& authority, const dns::Lookup& lookup) noexcept;
  bool resolve_by_template(const dns::Lookup& lookup, dns::Target& first,
                           dns::Target& second) noexcept;
  bool resolve_by_hosts(const dns::Lookup& lookup) noexcept;
  void conclude_by_rule(Outcome outcome, std::size_t zone_labels,
                        const dns::Lookup& lookup) noexcept;
  void add_denial(const dns::NameParts& zone) noexcept;
  // Kept out of resolve(), whose look-ups would pay for what it takes on the stack.
  [[gnu::noinline]] bool complete(const search::PodDirectory& pods, const Authority& authority,
                                  dns::Target& next) noexcept;

  const records::Index& index_;
  const zones::ZoneSet& zones_;
  const resolver::AnswerCache* answers_;
  const bool is_stale_;
  const Views& views_;
  const dns::Query& query_;
  const Client& client_;
  const RecordType unusable_;
  const resolver::Resolution* resolution_;
  search::WalkProgress* progress_;
  resolver::Question& elsewhere_;
  dns::Rotation& rotation_;
  dns::MessageWriter& out_;
  const policy::Policy* rules_ = nullptr;
  policy::Room* room_ = nullptr;
  std::optional<dns::ExtendedError> extended_error_;
  std::string_view extended_text_;
  bool is_missing_ = false;
  bool is_from_cache_ = false;
  const resolver::CachedAnswer* due_ = nullptr;  // Of the question noted, if it is worth renewal.
  bool is_unusable_ = false;
  bool has_other_family_ = false;  // What is asked elsewhere exists, with the other type.
  bool is_rewritten_ = false;
  SearchOutcome search_ = SearchOutcome::None;
  Source source_ = Source::Zones;
};

}  // namespace waypost::server
