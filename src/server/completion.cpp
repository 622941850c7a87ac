#include "server/completion.h"

#include "policy/policy.h"
#include "search/pod_directory.h"

#include <algorithm>

namespace waypost::server {
namespace {

using dns::Outcome;
using dns::RecordType;
using search::Identity;
using search::Walk;
using Search = records::Index::Search;

SearchOutcome outcome_of(Identity identity) noexcept {
  switch (identity) {
    case Identity::HostNetwork:
      return SearchOutcome::HostNetwork;
    case Identity::Shared:
      return SearchOutcome::SharedAddress;
    case Identity::Unknown:
    case Identity::Pod:
      break;
  }
  return SearchOutcome::UnknownAddress;
}

}  // namespace

Completion::Completion(const Sources& sources, const dns::Query& query, std::uint32_t now,
                       const resolver::Resolution* resolution, search::WalkProgress* progress,
                       dns::Rotation& rotation, dns::MessageWriter& out) noexcept
    : sources_(sources),
      query_(query),
      other_type_(query.type == RecordType::A ? RecordType::AAAA : RecordType::A),
      now_(now),
      resolution_(resolution),
      progress_(progress != nullptr ? *progress : own_progress_),
      rotation_(rotation),
      out_(out) {}

Completion::Result Completion::run(const Authority& owner, const IpAddress& client,
                                   dns::Target& target, resolver::Question& elsewhere) noexcept {
  if (!is_candidate(owner)) {
    return result_;
  }
  const search::Caller caller = sources_.pods.find(client);
  if (caller.identity != Identity::Pod) {
    result_.outcome = outcome_of(caller.identity);
    return result_;
  }
  if (!caller.list->is_cluster_first()) {
    result_.outcome = SearchOutcome::OtherList;
    return result_;
  }
  Walk walk(query_.name, query_.question, *caller.list);
  if (walk.start() != Walk::Start::First) {
    result_.outcome =
        walk.start() == Walk::Start::Dotted ? SearchOutcome::Dotted : SearchOutcome::OtherNamespace;
    return result_;
  }

  elsewhere_ = &elsewhere;
  client_ = client;
  if (progress_.list != caller.list->id()) {
    progress_ = {.list = caller.list->id()};
  }
  result_.outcome = SearchOutcome::Nowhere;
  // The first step may be a name that other servers have (Options::fallthrough_zones): then it is
  // the answer, without a CNAME.
  Finding finding = owner.falls_through(query_.name, sources_.answers)
                        ? find_elsewhere(query_.name, 0)
                        : Finding::Nothing;
  if (finding == Finding::Something) {
    result_.outcome = SearchOutcome::None;
    return result_;
  }
  while (finding == Finding::Nothing && walk.next()) {
    target.name.assign(walk.name());
    finding = find(target.name, walk.step());
  }
  switch (finding) {
    case Finding::Something:
      break;
    case Finding::Later:
      result_.is_missing = true;
      [[fallthrough]];
    case Finding::Nothing:
    case Finding::Refused:
      target.name.size = 0;
      return result_;
    case Finding::Failed:
      result_.outcome = SearchOutcome::Failed;
      target.name.size = 0;
      return result_;
  }
  result_.outcome = walk.is_as_given()     ? SearchOutcome::AsGiven
                    : walk.is_in_cluster() ? SearchOutcome::InCluster
                                           : SearchOutcome::InHostDomain;
  // For as long as the client may take it that the first step does not exist.
  const std::uint32_t ttl =
      std::min(sources_.index.options().ttl, sources_.index.options().negative_ttl);
  if (!out_.add_name(dns::Section::Answer, dns::NameParts::at(dns::QuestionOffset),
                     RecordType::CNAME, ttl, dns::NameParts::whole(walk.name()))) {
    out_.set_truncated(true);
  }
  target.owner = out_.last_target();
  return result_;
}

// What a client may walk on from, so that it is worth looking who it is.
bool Completion::is_candidate(const Authority& owner) const noexcept {
  return owner.cluster != nullptr && !owner.cluster->is_reverse && query_.recursion_desired &&
         (query_.type == RecordType::A || query_.type == RecordType::AAAA) &&
         query_.name.label_count > owner.cluster->labels + 2U &&
         as_text(query_.name.label(query_.name.label_count - owner.cluster->labels - 1U)) == "svc";
}

// Whether a rule keeps the client from the name's addresses, or answers for zones.
bool Completion::is_ruled(const dns::NameKey& name) const noexcept {
  const auto is_kept = [&](RecordType type) noexcept {
    const policy::AccessRule* const rule = sources_.rules->find_rule(name, type, client_);
    return rule != nullptr && rule->access != policy::Access::Allow;
  };
  return is_kept(RecordType::A) || is_kept(RecordType::AAAA) ||
         sources_.rules->decides_addresses(name, sources_.room);
}

Completion::Finding Completion::find(const dns::NameKey& name, unsigned step) noexcept {
  if (sources_.rules != nullptr && is_ruled(name)) {
    return Finding::Refused;
  }
  Search search = sources_.index.begin(name);
  const Authority authority = find_authority(sources_.index, sources_.zones, name, search);
  if (!authority.is_none()) {
    const Finding here = find_here(authority, name, search);
    return here == Finding::Nothing && authority.falls_through(name, sources_.answers)
               ? find_elsewhere(name, step)
               : here;
  }
  return sources_.answers != nullptr ? find_elsewhere(name, step) : Finding::Refused;
}

Completion::Finding Completion::find_here(const Authority& authority, const dns::NameKey& name,
                                          Search& search) noexcept {
  const bool found = authority.zone != nullptr
                         ? has_records(*authority.zone, name, query_.type) ||
                               has_records(*authority.zone, name, other_type_)
                         : sources_.index.has_addresses(*authority.cluster, name, search);
  return found ? Finding::Something : Finding::Nothing;
}

// Whether a look-up of that type ends with something else than "no such name" and "no such type".
// What it writes is taken back: it is answered anew, behind the CNAME.
bool Completion::has_records(const zones::Zone& zone, const dns::NameKey& name,
                             RecordType type) noexcept {
  dns::Target unused;
  const dns::MessageWriter::Mark mark = out_.mark();
  const Outcome outcome = zone.solve({name, type, 0, rotation_}, out_, unused);
  out_.rollback(mark);
  out_.set_truncated(false);
  return outcome != Outcome::NoName && outcome != Outcome::NoData;
}

//------------------------------------------------------------------ other servers' names

Completion::Finding Completion::find_elsewhere(const dns::NameKey& name, unsigned step) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << step;
  if ((progress_.nothing & bit) != 0) {
    return Finding::Nothing;
  }
  if ((progress_.something & bit) != 0) {
    result_.has_other_family = (progress_.not_asked & bit) != 0;
    return Finding::Something;
  }
  const Finding finding = decide_elsewhere(name, step);
  progress_.nothing |= finding == Finding::Nothing ? bit : 0;
  progress_.something |= finding == Finding::Something ? bit : 0;
  return finding;
}

Completion::Finding Completion::decide_elsewhere(const dns::NameKey& name, unsigned step) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << step;
  const Known asked =
      (progress_.not_asked & bit) != 0 ? Known::NoAddresses : look(name, query_.type);
  switch (asked) {
    case Known::Addresses:
      return Finding::Something;
    case Known::Failed:
      return Finding::Failed;
    case Known::Refused:
      return Finding::Refused;
    case Known::Unknown:
      note(name, query_.type);
      return Finding::Later;
    case Known::NoAddresses:
    case Known::NoName:
      break;
  }
  const Known other = look(name, other_type_);
  switch (other) {
    case Known::Addresses:
      progress_.not_asked |= bit;
      result_.has_other_family = true;
      return Finding::Something;
    case Known::Failed:
      return Finding::Failed;
    case Known::Refused:
      return Finding::Refused;
    case Known::Unknown:
      // That a name does not exist is so for all types (RFC 2308, 5).
      if (asked == Known::NoAddresses) {
        progress_.not_asked |= bit;
        note(name, other_type_);
        return Finding::Later;
      }
      break;
    case Known::NoAddresses:
    case Known::NoName:
      break;
  }
  return Finding::Nothing;
}

Completion::Known Completion::look(const dns::NameKey& name, RecordType type) noexcept {
  if (type == sources_.unusable) {
    return Known::NoAddresses;  // Nobody is asked for these.
  }
  const resolver::CacheKey key{name, type, query_.edns.dnssec_ok, query_.checking_disabled};
  const resolver::CachedAnswer* answer = nullptr;
  if (resolution_ != nullptr && resolution_->question.key() == key) {
    answer = resolution_->answer;
    if (answer == nullptr) {
      return resolution_->rcode == dns::Rcode::Refused ? Known::Refused : Known::Failed;
    }
  } else {
    const auto found = sources_.answers->find(key, now_);
    if (found.state != resolver::AnswerCache::State::Fresh) {
      return Known::Unknown;
    }
    // There is one place to note a question; another one's turn comes with the next query.
    if (found.is_due && result_.due == nullptr) {
      result_.due = found.answer;
      note(name, type);
    }
    answer = found.answer;
  }
  if (answer->rcode() == dns::Rcode::NxDomain) {
    return Known::NoName;
  }
  return answer->has_records() ? Known::Addresses : Known::NoAddresses;
}

void Completion::note(const dns::NameKey& name, RecordType type) noexcept {
  *elsewhere_ = {name, type, query_.edns.dnssec_ok, query_.checking_disabled};
}

}  // namespace waypost::server
