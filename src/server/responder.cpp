#include "server/responder.h"

#include "server/answer.h"
#include "server/completion.h"
#include "server/query_log.h"
#include "zones/zone_set.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <ctime>
#include <string_view>
#include <utility>

namespace waypost::server {
namespace {

using dns::Outcome;
using dns::Rcode;
using dns::RecordClass;
using dns::RecordType;
using dns::Section;
using Search = records::Index::Search;
using namespace std::string_view_literals;

// CNAMEs followed for one query; CoreDNS follows as many.
constexpr unsigned MaxHops = 10;
// Room for an OPT record with an NSID and an extended error of the sizes that configuration admits.
constexpr std::size_t MaxOptSize = 512;

timespec read_clock(clockid_t clock) noexcept {
  timespec now{};
  clock_gettime(clock, &now);
  return now;
}

std::uint64_t to_us(const timespec& time) noexcept {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec) / 1000U;
}

// Whether other servers are asked for it.  OPT and the types that speak of a transaction or a
// transfer are no data (RFC 6895, 3.1).
bool is_forwardable(RecordType type) noexcept {
  const auto number = std::to_underlying(type);
  return number != 0 && type != RecordType::OPT && !(number >= 249 && number <= 254);
}

}  // namespace

void Answer::fail(Rcode rcode, dns::ExtendedError error, std::string_view text) noexcept {
  out_.set_rcode(rcode);
  extended_error_ = error;
  extended_text_ = text;
}

Outcome Answer::solve(const Authority& authority, const dns::Lookup& lookup, Search& search,
                      dns::Target& next) noexcept {
  if (authority.zone != nullptr) {
    return authority.zone->solve(lookup, out_, next);
  }
  if (!index_.is_ready()) {
    return solve_unready(authority, lookup.name);
  }
  if (is_stale_) {
    extended_error_ = dns::ExtendedError::StaleAnswer;
    extended_text_ = "the cluster's API server was not reached for some time"sv;
  }
  return index_.solve(*authority.cluster, lookup, search, out_, next);
}

// Names that fall through and cannot be the cluster's need not wait for it.  Differs from CoreDNS,
// which asks elsewhere for all that it does not know yet: of a ClusterIP, others would say that it
// has no name.
Outcome Answer::solve_unready(const Authority& authority, const dns::NameKey& name) noexcept {
  if (authority.falls_through(name, answers_) && !index_.may_have(*authority.cluster, name)) {
    return Outcome::NoName;
  }
  fail(Rcode::ServFail, dns::ExtendedError::NotReady, "the cluster is not synced yet"sv);
  return Outcome::Failed;
}

void Answer::resolve(const dns::NameKey& start, std::uint16_t start_owner, Search& search,
                     dns::Target& first, dns::Target& second) noexcept {
  Authority authority = find_authority(start, search);
  if (authority.is_none()) {
    return resolve_elsewhere(start, start_owner);
  }
  out_.set_authoritative(true);

  std::array<std::uint64_t, MaxHops + 1> seen;  // Set up to `hops`.
  dns::Target* next = &first;
  const dns::NameKey* name = &start;
  std::uint16_t owner = start_owner;
  Search further;  // For the targets of CNAMEs.
  Search* current = &search;
  for (unsigned hops = 0;; ++hops) {
    const dns::Lookup lookup{*name, query_.type, owner, rotation_};
    Outcome outcome = solve(authority, lookup, *current, *next);
    seen[hops] = name->hash;
    if (outcome == Outcome::NoName && owner == dns::QuestionOffset) {
      const auto* const pods = views_.pods.load(std::memory_order_acquire);
      if (pods != nullptr && !is_rewritten_) {
        if (!complete(*pods, authority, *next)) {
          return;
        }
        outcome = next->name.size != 0 ? Outcome::Follow : outcome;
      }
    }
    if (outcome == Outcome::NoName && authority.falls_through(*name, answers_)) {
      extended_error_.reset();
      out_.set_authoritative(owner != dns::QuestionOffset);
      return resolve_elsewhere(*name, owner);
    }
    if (outcome != Outcome::Follow) {
      return conclude(outcome, authority, lookup);
    }
    // A loop, or too long a chain: what was found so far is the answer.
    if (hops == MaxHops || std::find(seen.begin(), seen.begin() + hops + 1, next->name.hash) !=
                               seen.begin() + hops + 1) {
      return;
    }
    if (rules_ != nullptr && resolve_by_hosts({next->name, query_.type, next->owner, rotation_})) {
      return;
    }
    further = index_.begin(next->name);
    current = &further;
    authority = find_authority(next->name, further);
    if (authority.is_none()) {
      return resolve_elsewhere(next->name, next->owner);
    }
    name = &next->name;
    owner = next->owner;
    next = next == &first ? &second : &first;
  }
}

// The name that was asked for does not exist.  True when that is to be gone on with: the answer is
// a CNAME to `next`, or, where that is empty, what it would be without completion.
bool Answer::complete(const search::PodDirectory& pods, const Authority& authority,
                      dns::Target& next) noexcept {
  Completion completion({index_, zones_, answers_, pods, rules_, room_, unusable_}, query_,
                        client_.time.uptime, resolution_, progress_, rotation_, out_);
  next.name.size = 0;
  const Completion::Result result = completion.run(authority, client_.address, next, elsewhere_);
  search_ = result.outcome;
  is_missing_ = result.is_missing;
  due_ = result.due;
  has_other_family_ = result.has_other_family;
  if (result.outcome == SearchOutcome::Failed) {
    out_.set_authoritative(false);
    out_.set_rcode(resolution_->rcode);
    extended_error_ = resolution_->reason;
    extended_text_ = resolution_->text;
  }
  return !is_missing_ && result.outcome != SearchOutcome::Failed;
}

// A name that nobody here owns: that of the question, or where a CNAME of ours leads.
void Answer::resolve_elsewhere(const dns::NameKey& name, std::uint16_t owner) noexcept {
  const bool is_alias = owner != dns::QuestionOffset;
  if (answers_ == nullptr || !is_forwardable(query_.type)) {
    // Of a CNAME that leads out of here, the CNAME alone is the answer.
    return is_alias ? void()
                    : fail(Rcode::Refused, dns::ExtendedError::NotAuthoritative,
                           "no zone here has this name"sv);
  }
  if (query_.type == unusable_) {
    is_unusable_ = true;
    return add_denial({});
  }
  const resolver::CacheKey key{name, query_.type, query_.edns.dnssec_ok, query_.checking_disabled};
  if (resolution_ != nullptr && resolution_->question.key() == key) {
    extended_error_ = resolution_->reason;
    extended_text_ = resolution_->text;
    if (resolution_->answer == nullptr) {
      return out_.set_rcode(resolution_->rcode);
    }
    return write_elsewhere(*resolution_->answer, resolution_->ttl, owner);
  }
  const auto found = answers_->find(key, client_.time.uptime);
  if (found.state == resolver::AnswerCache::State::Fresh) {
    is_from_cache_ = true;
    if (found.is_due && due_ == nullptr) {
      due_ = found.answer;
      note_elsewhere(key);
    }
    return write_elsewhere(*found.answer, resolver::TtlMode::CountDown, owner);
  }
  // Differs from CoreDNS: who does not desire recursion gets what is at hand, because that is what
  // the bit says; resolvers that look where a name is delegated must not be led on.
  if (query_.recursion_desired) {
    is_missing_ = true;
    note_elsewhere(key);
  } else if (!is_alias) {
    fail(Rcode::Refused, dns::ExtendedError::NotAuthoritative,
         "no zone here has this name, and recursion was not desired"sv);
  }
}

void Answer::note_elsewhere(const resolver::CacheKey& key) noexcept {
  elsewhere_ = {key.name, key.type, key.dnssec_ok, key.checking_disabled};
}

void Answer::write_elsewhere(const resolver::CachedAnswer& answer, resolver::TtlMode ttl,
                             std::uint16_t owner) noexcept {
  const bool is_denied = answer.rcode() == Rcode::NxDomain && has_other_family_;
  out_.set_rcode(is_denied ? Rcode::NoError : answer.rcode());
  // To who understands it (RFC 6840, 5.8).
  out_.set_authentic_data(answer.authentic_data() && out_.count(Section::Answer) == 0 &&
                          (query_.edns.dnssec_ok || query_.authentic_data));
  if (!resolver::write_answer(answer, client_.time.uptime, ttl, owner, rotation_, out_)) {
    out_.set_truncated(true);
  }
}

// The one place where outcomes become rcodes and authority records.
void Answer::conclude(Outcome outcome, const Authority& authority,
                      const dns::Lookup& lookup) noexcept {
  switch (outcome) {
    case Outcome::Hit:
    case Outcome::Follow:
    case Outcome::Truncated:
      return;
    case Outcome::Referral:
      // Authoritative only for a CNAME that led here (RFC 1034, 4.3.2, 3b).
      out_.set_authoritative(out_.count(Section::Answer) != 0);
      return;
    case Outcome::Failed:
      out_.set_authoritative(false);
      out_.set_rcode(Rcode::ServFail);
      return;
    case Outcome::NoName:
      out_.set_rcode(Rcode::NxDomain);
      [[fallthrough]];
    case Outcome::NoData:
      // The SOA carries the negative TTL (RFC 2308, 3): without it the answer must be asked for
      // again.
      const bool fits = authority.zone != nullptr
                            ? authority.zone->add_soa(lookup, out_)
                            : index_.add_soa(*authority.cluster, lookup, out_);
      if (!fits) {
        out_.set_truncated(true);
      }
      return;
  }
}

bool Answer::is_transferable(Search& search) noexcept {
  const Authority authority = find_authority(query_.name, search);
  const bool is_apex =
      authority.zone != nullptr
          ? authority.zone->apex().label_count() == query_.name.label_count
          : authority.cluster != nullptr && authority.cluster->labels == query_.name.label_count;
  if (!is_apex || (authority.cluster != nullptr && authority.cluster->is_reverse)) {
    fail(Rcode::NotAuth, dns::ExtendedError::NotAuthoritative, "not the apex of a zone here"sv);
    return false;
  }
  if (authority.cluster != nullptr && !index_.is_ready()) {
    fail(Rcode::ServFail, dns::ExtendedError::NotReady, "the cluster is not synced yet"sv);
    return false;
  }
  return true;
}

void Answer::answer_soa(Search& search) noexcept {
  const Authority authority = find_authority(query_.name, search);
  assert(!authority.is_none());  // is_transferable() was true.
  dns::Target unused;
  const dns::Lookup lookup{query_.name, RecordType::SOA, dns::QuestionOffset, rotation_};
  out_.set_authoritative(true);
  conclude(solve(authority, lookup, search, unused), authority, lookup);
}

namespace {

// CHAOS TXT (RFC 4892): the few names that exist, if the operator gave them a text.
void answer_chaos(const AnswerPolicy& policy, const dns::Query& query,
                  dns::MessageWriter& out) noexcept {
  const std::string_view name = as_text(query.name.wire());
  const bool version = name == "\7version\4bind\0"sv || name == "\7version\6server\0"sv;
  const bool id = name == "\2id\6server\0"sv || name == "\10hostname\4bind\0"sv;
  const std::string_view text = version ? std::string_view(policy.chaos_version)
                                : id    ? std::string_view(policy.chaos_id)
                                        : std::string_view();
  if (text.empty() || (query.type != RecordType::TXT && query.type != RecordType::ANY)) {
    out.set_rcode(Rcode::Refused);
    return;
  }
  std::array<std::uint8_t, 256> rdata;
  const std::size_t size = std::min<std::size_t>(text.size(), 255);
  rdata[0] = static_cast<std::uint8_t>(size);
  std::copy_n(text.begin(), size, rdata.begin() + 1);
  out.set_authoritative(true);
  if (!out.add_record(Section::Answer, dns::NameParts::at(dns::QuestionOffset), RecordType::TXT,
                      RecordClass::CH, 0, Bytes(rdata).first(size + 1))) {
    out.set_truncated(true);
  }
}

bool may_transfer(const AnswerPolicy& policy, const IpAddress& client) noexcept {
  return std::any_of(policy.transfer_allow.begin(), policy.transfer_allow.end(),
                     [&](const IpPrefix& prefix) { return prefix.contains(client); });
}

std::size_t size_limit(const dns::Query& query, const Client& client, const AnswerPolicy& policy,
                       std::size_t room) noexcept {
  if (client.transport == Transport::Tcp) {
    return std::min(room, dns::MaxMessageSize);
  }
  const std::size_t asked = query.edns.present ? query.edns.udp_size : dns::PlainUdpSize;
  const std::size_t offered = std::max<std::size_t>(policy.udp_size, dns::PlainUdpSize);
  return std::min({room, std::max(asked, dns::PlainUdpSize), offered});
}

}  // namespace

Moment Moment::now() noexcept {
  const timespec uptime = read_clock(CLOCK_MONOTONIC);
  return {.unix_seconds = static_cast<std::uint32_t>(read_clock(CLOCK_REALTIME_COARSE).tv_sec),
          .uptime = static_cast<std::uint32_t>(uptime.tv_sec),
          .uptime_us = to_us(uptime)};
}

std::uint64_t Moment::us_since(std::uint64_t uptime_us) noexcept {
  return to_us(read_clock(CLOCK_MONOTONIC)) - uptime_us;
}

Responder::Responder(const Views& views, Counters& counters, std::uint64_t seed,
                     std::size_t place) noexcept
    : views_(views), counters_(counters), place_(place), rotation_(seed) {}

Reply Responder::respond(Bytes request, const Client& client, MutableBytes out) noexcept {
  index_ = views_.index.load(std::memory_order_acquire);
  read(request, requests_[0]);
  return answer(0, client, out);
}

void Responder::read(Bytes packet, Request& request) noexcept {
  request.size = packet.size();
  request.verdict = dns::read_query(packet, request.query);
  if (request.verdict == dns::ReadVerdict::Answer) {
    request.search = index_->begin(request.query.name);
  }
}

void Responder::read(std::span<const Bytes> requests) noexcept {
  index_ = views_.index.load(std::memory_order_acquire);
  std::array<Search*, MaxRequests> searches;
  std::size_t count = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    read(requests[i], requests_[i]);
    if (requests_[i].verdict == dns::ReadVerdict::Answer) {
      searches[count++] = &requests_[i].search;
    }
  }
  // What the second look finds depends on what the first one has brought.
  for (std::size_t i = 0; i < count; ++i) {
    records::Index::expect_node(*searches[i]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    records::Index::expect_data(*searches[i]);
  }
}

inline void Responder::count(const Request& request, const Client& client) noexcept {
  const bool is_read = request.verdict == dns::ReadVerdict::Answer;
  counters_.queries.add(client.transport, client.address.is_v4(),
                        is_read ? counted_type(request.query.type) : OtherType);
  if (is_read && request.query.edns.dnssec_ok) {
    counters_.dnssec_ok.add();
  }
  counters_.query_sizes[std::to_underlying(client.transport)].add(request.size);
}

Reply Responder::answer(std::size_t index, const Client& client, MutableBytes out) noexcept {
  count(requests_[index], client);
  is_first_look_ = true;
  const Reply reply = reply_to(requests_[index], client, nullptr, nullptr, out);
  if (reply.is_from_cache) {
    (reply.is_denial ? counters_.cache_denials : counters_.cache_successes).add();
  } else if (reply.resolve) {
    counters_.cache_misses.add();
  }
  return reply;
}

Reply Responder::resume(Bytes request, const Client& client, const resolver::Resolution* resolution,
                        search::WalkProgress* progress, MutableBytes out) noexcept {
  index_ = views_.index.load(std::memory_order_acquire);
  read(request, requests_[0]);
  is_first_look_ = false;
  return reply_to(requests_[0], client, resolution, progress, out);
}

Reply Responder::refuse(std::size_t index, const Client& client, std::string_view text,
                        MutableBytes out) noexcept {
  const resolver::Question asked = elsewhere_;  // Which the second look may overwrite.
  const resolver::Resolution refusal{
      .question = asked, .reason = dns::ExtendedError::Other, .text = text};
  is_first_look_ = false;
  return reply_to(requests_[index], client, &refusal, nullptr, out);
}

Reply Responder::reply_to(Request& request, const Client& client,
                          const resolver::Resolution* resolution, search::WalkProgress* progress,
                          MutableBytes out) noexcept {
  const dns::ReadVerdict verdict = request.verdict;
  const dns::Query& query = request.query;
  if (verdict == dns::ReadVerdict::Drop) {
    counters_.dropped.add();
    return {};
  }

  const AnswerPolicy& policy = *views_.policy.load(std::memory_order_acquire);
  dns::MessageWriter writer(out.first(size_limit(query, client, policy, out.size())));
  writer.start(query);
  writer.set_recursion_available(views_.answers.load(std::memory_order_relaxed) != nullptr);
  const bool nsid = query.edns.nsid_requested && !policy.nsid.empty();
  const bool cookie = query.edns.has_cookie && policy.cookies;
  if (query.edns.present) {
    writer.reserve(dns::opt_size(nsid ? policy.nsid.size() : 0, cookie, false, 0));
  }

  Answer answer(views_, *index_, query, client, policy.unusable, resolution, progress, elsewhere_,
                rotation_, writer);
  switch (verdict) {
    case dns::ReadVerdict::Answer:
      switch (answer_question(request, client, policy, resolution, answer, writer)) {
        case Course::Send:
          break;
        case Course::Silence:
          if (QueryLog* const log = log_for(client)) {
            log->note(place_, query, client, writer.rcode(), {});
          }
          return {};
        case Course::Transfer:
          counters_.transfers.add();
          if (QueryLog* const log = log_for(client)) {
            log->note_transfer(place_, query, client);
          }
          return {.size = 0, .transfer = true};
      }
      if (is_first_look_) {
        count(answer);
      }
      if (answer.is_missing()) {
        return {.size = 0, .resolve = true};
      }
      break;
    case dns::ReadVerdict::CookieOnly:
      writer.set_rcode(cookie ? Rcode::NoError : Rcode::FormErr);
      break;
    case dns::ReadVerdict::FormErr:
      writer.set_rcode(Rcode::FormErr);
      break;
    case dns::ReadVerdict::NotImp:
      writer.set_rcode(Rcode::NotImp);
      break;
    case dns::ReadVerdict::BadVersion:
      writer.set_rcode(Rcode::BadVers);
      break;
    case dns::ReadVerdict::Drop:
      break;
  }

  if (query.edns.present) {
    add_opt(query, client, policy, answer, writer);
  }
  if (answer.search_outcome() != SearchOutcome::None) {
    counters_.searches[std::to_underlying(answer.search_outcome())].add();
  }
  counters_.rcodes[dns::rcode_place(writer.rcode())].add();
  if (writer.is_truncated()) {
    counters_.truncated.add();
  }
  const std::size_t size = writer.finish();
  counters_.response_sizes[std::to_underlying(client.transport)].add(size);
  if (QueryLog* const log = log_for(client)) {
    log->note(place_, query, client, writer.rcode(), Bytes(out).first(size));
  }
  return {.size = size,
          .is_from_cache = answer.is_from_cache(),
          .is_denial = answer.is_from_cache() && (writer.rcode() != Rcode::NoError ||
                                                  writer.count(dns::Section::Answer) == 0),
          .refresh = !client.is_trial && answer.claims_refresh()};
}

Responder::Course Responder::answer_question(Request& request, const Client& client,
                                             const AnswerPolicy& policy,
                                             const resolver::Resolution* resolution, Answer& answer,
                                             dns::MessageWriter& writer) noexcept {
  const dns::Query& query = request.query;
  if (query.record_class == RecordClass::CH) {
    answer_chaos(policy, query, writer);
    return Course::Send;
  }
  if (query.record_class != RecordClass::IN) {
    writer.set_rcode(Rcode::Refused);
    return Course::Send;
  }
  if (const policy::Policy* rules = views_.rules.load(std::memory_order_acquire);
      rules != nullptr) {
    if (const auto course =
            follow_rules(*rules, request, client, policy, resolution, answer, writer)) {
      return *course;
    }
  }
  const bool is_ixfr = query.type == RecordType::IXFR;
  if (query.type != RecordType::AXFR && !is_ixfr) {
    answer.resolve(request.search, first_, second_);
    return Course::Send;
  }
  if (!may_transfer(policy, client.address) || (client.transport == Transport::Udp && !is_ixfr)) {
    writer.set_rcode(Rcode::Refused);
    return Course::Send;
  }
  if (!answer.is_transferable(request.search)) {
    return Course::Send;
  }
  if (client.transport == Transport::Udp) {
    answer.answer_soa(request.search);
    return Course::Send;
  }
  return Course::Transfer;
}

void Responder::add_opt(const dns::Query& query, const Client& client, const AnswerPolicy& policy,
                        const Answer& answer, dns::MessageWriter& writer) noexcept {
  std::array<std::uint8_t, 24> cookie;
  dns::OptContent content{.udp_size = policy.udp_size,
                          .rcode = writer.rcode(),
                          .dnssec_ok = query.edns.dnssec_ok,
                          .extended_error = answer.extended_error(),
                          .extended_text = answer.extended_text()};
  if (query.edns.nsid_requested) {
    content.nsid = as_bytes(policy.nsid);
  }
  if (query.edns.has_cookie && policy.cookies) {
    const auto& client_cookie = query.edns.client_cookie;
    const auto server_cookie = dns::CookieMaker(policy.cookie_secret)
                                   .make(client_cookie, client.address, client.time.unix_seconds);
    std::copy(client_cookie.begin(), client_cookie.end(), cookie.begin());
    std::copy(server_cookie.begin(), server_cookie.end(), cookie.begin() + client_cookie.size());
    content.cookie = cookie;
  }
  std::array<std::uint8_t, MaxOptSize> record;
  std::size_t size = dns::write_opt(content, record);
  if (!writer.add_reserved(Bytes(record).first(size)) && content.extended_error) {
    // The reason is a courtesy; without it the record fits its reserve.
    content.extended_error.reset();
    size = dns::write_opt(content, record);
    writer.add_reserved(Bytes(record).first(size));
  }
}

}  // namespace waypost::server
