// What an operator's rules make of a query, before zones are asked.

#include "server/answer.h"
#include "server/responder.h"

#include <string_view>

namespace waypost::server {

using dns::Outcome;
using dns::Rcode;
using dns::RecordType;
using dns::Section;
using namespace std::string_view_literals;

namespace {

// For how long it may be remembered that a rule denies what there may be, in seconds.
constexpr std::uint32_t DenialTtl = 60;

}  // namespace

void Answer::filter(std::string_view text) noexcept {
  extended_error_ = dns::ExtendedError::Filtered;
  extended_text_ = text;
  add_denial({});
}

// Makes a denial that is nobody's keep for a moment.  Where it is not known which zone it would be
// in, the root is above it.
void Answer::add_denial(const dns::NameParts& zone) noexcept {
  constexpr dns::SoaTimes Times{.serial = 1, .minimum = DenialTtl};
  if (!out_.add_soa(Section::Authority, zone, DenialTtl, {}, {}, Times)) {
    out_.set_truncated(true);
  }
}

// In CoreDNS' order: templates, then hosts.
bool Answer::resolve_by_rules(dns::Target& first, dns::Target& second) noexcept {
  const dns::Lookup lookup{query_.name, query_.type, dns::QuestionOffset, rotation_};
  return resolve_by_template(lookup, first, second) || resolve_by_hosts(lookup);
}

bool Answer::resolve_by_template(const dns::Lookup& lookup, dns::Target& first,
                                 dns::Target& second) noexcept {
  if (rules_->templates().empty()) {
    return false;
  }
  const policy::TemplateAnswer made =
      policy::solve_by_template(rules_->templates(), lookup, room_->templates, out_, first);
  if (!made.is_here) {
    return false;
  }
  source_ = made.outcome == Outcome::Failed ? Source::BrokenTemplate : Source::Template;
  out_.set_authoritative(true);
  out_.set_rcode(made.rcode);
  if (made.outcome != Outcome::Follow) {
    conclude_by_rule(made.outcome, made.zone_labels, lookup);
    return true;
  }
  if (!resolve_by_hosts({first.name, query_.type, first.owner, rotation_})) {
    Search search = index_.begin(first.name);
    resolve(first.name, first.owner, search, second, first);
  }
  return true;
}

bool Answer::resolve_by_hosts(const dns::Lookup& lookup) noexcept {
  if (rules_->hosts() == nullptr) {
    return false;
  }
  const policy::Hosts::Answer found = rules_->hosts()->solve(lookup, out_);
  if (!found.is_here) {
    return false;
  }
  // Where a CNAME leads, the answer is still that of who has the CNAME.
  source_ = lookup.owner == dns::QuestionOffset ? Source::Hosts : source_;
  out_.set_authoritative(true);
  conclude_by_rule(found.outcome, found.zone_labels, lookup);
  return true;
}

void Answer::conclude_by_rule(Outcome outcome, std::size_t zone_labels,
                              const dns::Lookup& lookup) noexcept {
  switch (outcome) {
    case Outcome::Hit:
    case Outcome::Follow:
    case Outcome::Referral:
      return;
    case Outcome::Truncated:
      return out_.set_truncated(true);
    case Outcome::Failed:
      out_.set_authoritative(false);
      return fail(Rcode::ServFail, dns::ExtendedError::Other, "a template here made no answer"sv);
    case Outcome::NoName:
      out_.set_rcode(Rcode::NxDomain);
      [[fallthrough]];
    case Outcome::NoData:
      return add_denial(lookup.suffix_name(lookup.name.label_count - zone_labels));
  }
}

void Answer::take_over(const Answer& rewritten) noexcept {
  extended_error_ = rewritten.extended_error_;
  extended_text_ = rewritten.extended_text_;
  is_missing_ = rewritten.is_missing_;
  is_from_cache_ = rewritten.is_from_cache_;
  due_ = rewritten.due_;
  is_unusable_ = rewritten.is_unusable_;
  source_ = rewritten.source_;
}

// The client's limit first: the rest costs more.
std::optional<Responder::Course> Responder::follow_rules(
    const policy::Policy& rules, const Request& request, const Client& client,
    const AnswerPolicy& policy, const resolver::Resolution* resolution, Answer& answer,
    dns::MessageWriter& writer) noexcept {
  if (is_first_look_) {
    if (const auto course = limit(rules, client, answer, writer)) {
      return course;
    }
  }
  const dns::Query& query = request.query;
  policy::Room* const room = rules.room(place_);
  answer.follow(rules, room);
  // Whoever transfers a zone gets it as it is.
  const bool is_transfer = query.type == RecordType::AXFR || query.type == RecordType::IXFR;
  using Rewriting = policy::Rewriter::Outcome;
  const Rewriting rewriting = is_transfer ? Rewriting::Unchanged : rewrite(rules, query.name, room);
  if (rewriting == Rewriting::Failed) {
    answer.fail(Rcode::ServFail, dns::ExtendedError::Other, "a rewrite here made no name of it"sv);
    return Course::Send;
  }
  // By the name that is looked up, so that no rewriting leads around a rule.
  const bool is_rewritten = rewriting == Rewriting::Rewritten;
  const dns::NameKey& name = is_rewritten ? room->rewriting.name() : query.name;
  const policy::AccessRule* rule =
      client.is_trial ? nullptr : rules.find_rule(name, query.type, client.address);
  if (rule != nullptr) {
    if (const auto course = decide(*rule, answer)) {
      return course;
    }
  }
  if (is_rewritten) {
    answer_rewritten(rules, *room, request, client, policy, resolution, answer, writer);
    return Course::Send;
  }
  const bool is_answered = !is_transfer && answer.resolve_by_rules(first_, second_);
  return is_answered ? std::optional(Course::Send) : std::nullopt;
}

policy::Rewriter::Outcome Responder::rewrite(const policy::Policy& rules, const dns::NameKey& name,
                                             policy::Room* room) noexcept {
  using Outcome = policy::Rewriter::Outcome;
  if (rules.rewriter().is_empty()) {
    return Outcome::Unchanged;
  }
  const Outcome outcome = rules.rewriter().rewrite(name, room->rewriting);
  if (is_first_look_) {
    counters_.rewrites.add(outcome == Outcome::Rewritten ? 1 : 0);
    counters_.rewrite_failures.add(outcome == Outcome::Failed ? 1 : 0);
  }
  return outcome;
}

// The rewritten name is answered like any other, in a message of its own.
void Responder::answer_rewritten(const policy::Policy& rules, policy::Room& room,
                                 const Request& request, const Client& client,
                                 const AnswerPolicy& policy, const resolver::Resolution* resolution,
                                 Answer& answer, dns::MessageWriter& writer) noexcept {
  rewritten_.query = request.query;
  rewritten_.query.name = room.rewriting.name();
  rewritten_.query.question = room.answer.set_question(room.rewriting.name(), request.query.type);
  rewritten_.search = index_->begin(rewritten_.query.name);
  dns::MessageWriter message(room.answer.message());
  message.start(rewritten_.query);
  // Without the progress of a search walk, because none is made.
  Answer about(views_, *index_, rewritten_.query, client, policy.unusable, resolution, nullptr,
               elsewhere_, rotation_, message);
  about.follow(rules, &room);
  about.set_rewritten();
  if (!about.resolve_by_rules(first_, second_)) {
    about.resolve(rewritten_.search, first_, second_);
  }
  answer.take_over(about);
  if (answer.is_missing()) {
    return;
  }
  policy::AnswerTranslation translation(request.query, room.rewriting, room.answer);
  if (!translation.write(message.finish(), writer)) {
    answer.fail(Rcode::ServFail, dns::ExtendedError::Other, "the answer cannot be rewritten"sv);
  }
}

void Responder::count(const Answer& answer) noexcept {
  if (answer.is_unusable()) {
    counters_.families_filtered.add();
  }
  switch (answer.source()) {
    case Answer::Source::Zones:
      return;
    case Answer::Source::Hosts:
      return counters_.hosts_answers.add();
    case Answer::Source::Template:
      return counters_.template_answers.add();
    case Answer::Source::BrokenTemplate:
      return counters_.template_failures.add();
  }
}

std::optional<Responder::Course> Responder::decide(const policy::AccessRule& rule,
                                                   Answer& answer) noexcept {
  const auto note = [this](Counter& counter) { counter.add(is_first_look_ ? 1 : 0); };
  switch (rule.access) {
    case policy::Access::Allow:
      note(counters_.access_allowed);
      return std::nullopt;
    case policy::Access::Block:
      note(counters_.access_blocked);
      // RFC 8914, 4.16 and 4.19: for everybody, or for this client.
      answer.refuse(
          rule.clients.empty() ? dns::ExtendedError::Blocked : dns::ExtendedError::Prohibited,
          "a rule here blocks this"sv);
      return Course::Send;
    case policy::Access::Filter:
      note(counters_.access_filtered);
      answer.filter("a rule here filters this"sv);
      return Course::Send;
    case policy::Access::Drop:
      note(counters_.access_dropped);
      return Course::Silence;
  }
  return std::nullopt;
}

std::optional<Responder::Course> Responder::limit(const policy::Policy& rules, const Client& client,
                                                  Answer& answer,
                                                  dns::MessageWriter& writer) noexcept {
  switch (rules.admit(client.address, client.time.uptime_us)) {
    case policy::ClientBuckets::Verdict::Granted:
      return std::nullopt;
    case policy::ClientBuckets::Verdict::Evicted:
      counters_.buckets_evicted.add();
      return std::nullopt;
    case policy::ClientBuckets::Verdict::Denied:
      break;
  }
  counters_.rate_limited.add();
  if (rules.limit_action() == policy::LimitAction::Drop) {
    return Course::Silence;
  }
  if (rules.limit_action() == policy::LimitAction::Truncate && client.transport == Transport::Udp) {
    writer.set_truncated(true);
    return Course::Send;
  }
  answer.refuse(dns::ExtendedError::Prohibited, "more queries than this client may ask"sv);
  return Course::Send;
}

}  // namespace waypost::server
