#include "server/responder.h"

#include "records/index.h"
#include "zones/zone_set.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <string_view>

namespace waypost::server {
namespace {

using dns::Outcome;
using dns::Rcode;
using dns::RecordClass;
using dns::RecordType;
using dns::Section;
using namespace std::string_view_literals;

// CNAMEs followed for one query; CoreDNS follows as many.
constexpr unsigned MaxHops = 10;
// Room for an OPT record with an NSID and an extended error of the sizes that configuration admits.
constexpr std::size_t MaxOptSize = 512;

// The data that owns a name: one of the cluster's zones, a static zone, or nobody.
struct Authority {
  const records::Apex* cluster = nullptr;
  const zones::Zone* zone = nullptr;

  bool is_none() const noexcept { return cluster == nullptr && zone == nullptr; }
};

}  // namespace

// What one response is made with, on the stack.
class Answer {
 public:
  Answer(const Views& views, const dns::Query& query, dns::Rotation& rotation,
         dns::MessageWriter& out) noexcept
      : index_(*views.index.load(std::memory_order_acquire)),
        zones_(*views.zones.load(std::memory_order_acquire)),
        is_stale_(views.is_stale.load(std::memory_order_relaxed)),
        query_(query),
        rotation_(rotation),
        out_(out) {}

  // Fills sections, rcode and AA for a query of class IN.
  void resolve(dns::Target& first, dns::Target& second) noexcept;
  // True when the name is the apex of a zone that can be transferred; sets NOTAUTH otherwise.
  bool is_transferable() noexcept;
  // The whole answer to an IXFR over UDP: the SOA, from which the client sees whether to come back
  // over TCP (RFC 1995, 2).
  void answer_soa() noexcept;

  std::optional<dns::ExtendedError> extended_error() const noexcept { return extended_error_; }
  std::string_view extended_text() const noexcept { return extended_text_; }

 private:
  Authority find_authority(const dns::NameKey& name) const noexcept;
  Outcome solve(const Authority& authority, const dns::Lookup& lookup, dns::Target& next) noexcept;
  void conclude(Outcome outcome, const Authority& authority, const dns::Lookup& lookup) noexcept;
  void fail(Rcode rcode, dns::ExtendedError error, std::string_view text) noexcept;

  const records::Index& index_;
  const zones::ZoneSet& zones_;
  const bool is_stale_;
  const dns::Query& query_;
  dns::Rotation& rotation_;
  dns::MessageWriter& out_;
  std::optional<dns::ExtendedError> extended_error_;
  std::string_view extended_text_;
};

void Answer::fail(Rcode rcode, dns::ExtendedError error, std::string_view text) noexcept {
  out_.set_rcode(rcode);
  extended_error_ = error;
  extended_text_ = text;
}

// The zone with the longest apex owns a name.  Reverse zones overlap (10.in-addr.arpa is an empty
// zone by RFC 6303 and holds ClusterIPs at the same time): there, a name that the cluster has is
// the cluster's.
Authority Answer::find_authority(const dns::NameKey& name) const noexcept {
  const records::Apex* cluster = index_.enclosing(name);
  const zones::Zone* zone = zones_.closest(name);
  if (cluster != nullptr && zone != nullptr) {
    const bool is_cluster =
        zone->apex().label_count() <= cluster->labels || (cluster->is_reverse && index_.has(name));
    return is_cluster ? Authority{cluster, nullptr} : Authority{nullptr, zone};
  }
  return {cluster, zone};
}

Outcome Answer::solve(const Authority& authority, const dns::Lookup& lookup,
                      dns::Target& next) noexcept {
  if (authority.zone != nullptr) {
    return authority.zone->solve(lookup, out_, next);
  }
  if (!index_.is_ready()) {
    fail(Rcode::ServFail, dns::ExtendedError::NotReady, "the cluster is not synced yet"sv);
    return Outcome::Failed;
  }
  if (is_stale_) {
    extended_error_ = dns::ExtendedError::StaleAnswer;
    extended_text_ = "the cluster's API server was not reached for some time"sv;
  }
  return index_.solve(*authority.cluster, lookup, out_, next);
}

void Answer::resolve(dns::Target& first, dns::Target& second) noexcept {
  Authority authority = find_authority(query_.name);
  if (authority.is_none()) {
    return fail(Rcode::Refused, dns::ExtendedError::NotAuthoritative,
                "no zone here has this name"sv);
  }
  out_.set_authoritative(true);

  std::array<std::uint64_t, MaxHops + 1> seen;  // Set up to `hops`.
  dns::Target* next = &first;
  const dns::NameKey* name = &query_.name;
  std::uint16_t owner = dns::QuestionOffset;
  for (unsigned hops = 0;; ++hops) {
    const dns::Lookup lookup{*name, query_.type, owner, rotation_};
    const Outcome outcome = solve(authority, lookup, *next);
    seen[hops] = name->hash;
    if (outcome != Outcome::Follow) {
      return conclude(outcome, authority, lookup);
    }
    // A loop, too long a chain, or a target that nobody here owns: what was found so far is the
    // answer.
    authority = find_authority(next->name);
    if (authority.is_none() || hops == MaxHops ||
        std::find(seen.begin(), seen.begin() + hops + 1, next->name.hash) !=
            seen.begin() + hops + 1) {
      return;
    }
    name = &next->name;
    owner = next->owner;
    next = next == &first ? &second : &first;
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

bool Answer::is_transferable() noexcept {
  const Authority authority = find_authority(query_.name);
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

void Answer::answer_soa() noexcept {
  const Authority authority = find_authority(query_.name);
  assert(!authority.is_none());  // is_transferable() was true.
  dns::Target unused;
  const dns::Lookup lookup{query_.name, RecordType::SOA, dns::QuestionOffset, rotation_};
  out_.set_authoritative(true);
  conclude(solve(authority, lookup, unused), authority, lookup);
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

std::uint64_t rcode_index(Rcode rcode, std::size_t size) noexcept {
  return std::min<std::uint64_t>(static_cast<std::uint64_t>(rcode), size - 1);
}

}  // namespace

Responder::Responder(const Views& views, Counters& counters, std::uint64_t seed) noexcept
    : views_(views), counters_(counters), rotation_(seed) {}

Reply Responder::respond(Bytes request, const Client& client, MutableBytes out) noexcept {
  requests_[0].verdict = dns::read_query(request, requests_[0].query);
  return answer(0, client, out);
}

void Responder::read(std::span<const Bytes> requests) noexcept {
  std::array<records::Index::Hint, MaxRequests> hints;
  std::size_t count = 0;
  const records::Index& index = *views_.index.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Request& to = requests_[i];
    to.verdict = dns::read_query(requests[i], to.query);
    if (to.verdict == dns::ReadVerdict::Answer) {
      hints[count++] = index.expect(to.query.name);
    }
  }
  // What the second look finds depends on what the first one has brought.
  for (std::size_t i = 0; i < count; ++i) {
    index.expect_node(hints[i]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    index.expect_data(hints[i]);
  }
}

Reply Responder::answer(std::size_t index, const Client& client, MutableBytes out) noexcept {
  (client.transport == Transport::Udp ? counters_.udp_queries : counters_.tcp_queries).add();
  const dns::ReadVerdict verdict = requests_[index].verdict;
  const dns::Query& query = requests_[index].query;
  if (verdict == dns::ReadVerdict::Drop) {
    counters_.dropped.add();
    return {};
  }

  const AnswerPolicy& policy = *views_.policy.load(std::memory_order_acquire);
  dns::MessageWriter writer(out.first(size_limit(query, client, policy, out.size())));
  writer.start(query);
  const bool nsid = query.edns.nsid_requested && !policy.nsid.empty();
  const bool cookie = query.edns.has_cookie && policy.cookies;
  if (query.edns.present) {
    writer.reserve(dns::opt_size(nsid ? policy.nsid.size() : 0, cookie, false, 0));
  }

  Answer answer(views_, query, rotation_, writer);
  switch (verdict) {
    case dns::ReadVerdict::Answer:
      if (!answer_question(query, client, policy, answer, writer)) {
        counters_.transfers.add();
        return {.size = 0, .transfer = true};
      }
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
  counters_.rcodes[rcode_index(writer.rcode(), counters_.rcodes.size())].add();
  if (writer.is_truncated()) {
    counters_.truncated.add();
  }
  return {.size = writer.finish()};
}

bool Responder::answer_question(const dns::Query& query, const Client& client,
                                const AnswerPolicy& policy, Answer& answer,
                                dns::MessageWriter& writer) noexcept {
  if (query.record_class == RecordClass::CH) {
    answer_chaos(policy, query, writer);
    return true;
  }
  if (query.record_class != RecordClass::IN) {
    writer.set_rcode(Rcode::Refused);
    return true;
  }
  const bool is_ixfr = query.type == RecordType::IXFR;
  if (query.type != RecordType::AXFR && !is_ixfr) {
    answer.resolve(first_, second_);
    return true;
  }
  if (!may_transfer(policy, client.address) || (client.transport == Transport::Udp && !is_ixfr)) {
    writer.set_rcode(Rcode::Refused);
    return true;
  }
  if (!answer.is_transferable()) {
    return true;
  }
  if (client.transport == Transport::Udp) {
    answer.answer_soa();
    return true;
  }
  return false;
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
    const auto server_cookie =
        dns::CookieMaker(policy.cookie_secret).make(client_cookie, client.address, client.now);
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
