#include "resolver/resolver.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace waypost::resolver {
namespace {

// Of a text for a client, and of another server's words in it: the whole has to fit into OPT.
constexpr std::size_t MaxText = 200;
constexpr std::size_t MaxReasonText = 120;

// What the cache counts in.
std::uint32_t seconds_of(SteadyTime time) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

Resolution stale(const Question& question, const CachedAnswer& answer, std::string_view why) {
  return {.question = question,
          .answer = &answer,
          .ttl = TtlMode::Stale30,
          .reason = answer.rcode() == dns::Rcode::NxDomain ? dns::ExtendedError::StaleNxDomainAnswer
                                                           : dns::ExtendedError::StaleAnswer,
          .text = why};
}

Resolution failed(const Question& question, const Failure& failure) {
  return {
      .question = question, .rcode = failure.rcode, .reason = failure.reason, .text = failure.text};
}

// What an upstream said instead of an answer, in its own words if it gave some.
Failure failure_of(const dns::Response& response) {
  // What was not understood is told as it is, so that clients ask in another way; what a server
  // would not do for us says nothing about what it would do for them.
  Failure failure{
      .rcode = response.rcode == dns::Rcode::NotImp ? dns::Rcode::NotImp : dns::Rcode::ServFail,
      .text = "the upstreams answer " + dns::to_text(response.rcode)};
  if (response.reason_count != 0) {
    const dns::ServerReason& reason = response.reasons.front();
    failure.reason = reason.code;
    const std::string_view text = as_text(reason.text).substr(0, MaxReasonText);
    failure.text += text.empty() ? "" : ": " + std::string(text);
  }
  return failure;
}

// What is told when nobody answered (RFC 8914, 4.23 and 4.24).
Failure failure_of(const ForwardFailure& failure) {
  using enum FailureKind;
  const bool is_network = failure.kind == Unreachable || failure.kind == TlsRefused;
  const bool is_ours = failure.kind == Overloaded || failure.kind == Stopped;
  return {.reason = is_ours      ? dns::ExtendedError::Other
                    : is_network ? dns::ExtendedError::NetworkError
                                 : dns::ExtendedError::NoReachableAuthority,
          .text = failure.to_text().substr(0, MaxText)};
}

const Failure& refusal() {
  static const Failure failure{.rcode = dns::Rcode::Refused,
                               .reason = dns::ExtendedError::NotAuthoritative,
                               .text = "no zone here has this name, and no server is asked for it"};
  return failure;
}

const Failure& overload() {
  static const Failure failure{.reason = dns::ExtendedError::Other,
                               .text = "too many questions are being asked at the moment"};
  return failure;
}

}  // namespace

struct Resolver::Flight {
  Flight(const Question& asked, AlarmClock& clock, Resolver& resolver)
      : question(asked), late(clock, [this, &resolver] { resolver.on_client_timeout(*this); }) {}

  const Question question;
  std::vector<Resolved> waiters;
  Alarm late;  // Rings when clients have waited long enough.
  bool is_late = false;
};

Resolver::Resolver(AnswerCache& cache, AlarmClock& clock, Elsewhere elsewhere,
                   ResolverOptions options)
    : cache_(cache),
      clock_(clock),
      elsewhere_(std::move(elsewhere)),
      options_(options),
      response_(std::make_unique<dns::Response>()) {
  failures_.set_first_pause(options.failure_pause);
}

// What upstreams still hold of a flight may live longer than the clock.
Resolver::~Resolver() {
  for (const auto& [question, flight] : flights_) {
    flight->late.cancel();
  }
}

void Resolver::resolve(const Question& question, Resolved done) {
  counters_.questions.add();
  const bool has_nobody = !elsewhere_.can_ask(question);
  if (has_nobody || elsewhere_.is_probe(question)) {
    counters_.refused.add();
    const Failure nobody{.reason = dns::ExtendedError::NoReachableAuthority, .text = nobody_};
    return done(failed(question, has_nobody && !nobody_.empty() ? nobody : refusal()));
  }
  if (answer_at_once(question, done)) {
    return;
  }
  const auto found = flights_.find(question);
  const bool is_full = found == flights_.end()
                           ? flights_.size() >= options_.max_in_flight
                           : waiting_ >= WaitersPerFlight * options_.max_in_flight;
  if (is_full) {
    counters_.overloaded.add();
    const CachedAnswer* old = find_stale(question);
    if (old != nullptr) {
      counters_.stale.add();
    }
    return done(old != nullptr ? stale(question, *old, overload().text)
                               : failed(question, overload()));
  }
  if (found == flights_.end()) {
    return start(question, std::move(done));
  }
  counters_.coalesced.add();
  ++waiting_;
  found->second->waiters.push_back(std::move(done));
  if (found->second->is_late) {
    on_client_timeout(*found->second);
  }
}

void Resolver::set_nobody(std::string why) {
  nobody_ = std::move(why);
  nobody_.resize(std::min(nobody_.size(), MaxText));
}

void Resolver::refresh(const Question& question) {
  if (!options_.prefetch || flights_.contains(question) ||
      flights_.size() >= options_.max_in_flight / 2 ||
      failures_.find(question, clock_.now()) != nullptr) {
    return;
  }
  counters_.prefetches.add();
  start(question, nullptr);
}

// The expired answer that may be given for want of a better one.
const CachedAnswer* Resolver::find_stale(const Question& question) const {
  const auto found = cache_.find(question.key(), seconds_of(clock_.now()));
  return found.state == AnswerCache::State::Stale ? found.answer : nullptr;
}

// From the cache, or from what has failed just now.
bool Resolver::answer_at_once(const Question& question, const Resolved& done) {
  const SteadyTime now = clock_.now();
  const auto found = cache_.find(question.key(), seconds_of(now));
  if (found.state == AnswerCache::State::Fresh) {
    counters_.late_hits.add();
    done({.question = question, .answer = found.answer});
    return true;
  }
  const Failure* failure = failures_.find(question, now);
  if (failure == nullptr) {
    return false;
  }
  counters_.remembered.add();
  if (const CachedAnswer* old = find_stale(question)) {
    counters_.stale.add();
    done(stale(question, *old, failure->text));
  } else {
    done(failed(question, *failure));
  }
  return true;
}

void Resolver::start(const Question& question, Resolved done) {
  const auto flight = std::make_shared<Flight>(question, clock_, *this);
  if (done) {
    ++waiting_;
    flight->waiters.push_back(std::move(done));
  }
  flights_.emplace(question, flight);
  counters_.started.add();
  const SteadyTime now = clock_.now();
  flight->late.set(now + ClientTimeout);
  // Where there is an old answer, clients rather have it soon.
  const Effort effort{.deadline = now + options_.query_deadline,
                      .repeats = find_stale(question) == nullptr};
  elsewhere_.ask(question, effort, [this, flight](const Reply& reply) { land(*flight, reply); });
}

// Clients have waited as long as they should: whoever can be given an old answer gets it, and the
// new one is still waited for.
void Resolver::on_client_timeout(Flight& flight) {
  flight.is_late = true;
  if (const CachedAnswer* old = find_stale(flight.question)) {
    counters_.stale.add(flight.waiters.size());
    complete(flight, stale(flight.question, *old, "the upstreams are slow to answer"));
  }
}

void Resolver::land(Flight& flight, const Reply& reply) {
  flight.late.cancel();
  flights_.erase(flights_.find(flight.question));
  counters_.finished.add();
  auto taken = reply ? take_answer(flight, *reply) : std::unexpected(failure_of(reply.error()));
  if (!taken) {
    // What was not asked for want of room has not failed, and is no reason not to ask the next
    // time.
    const bool is_overload = !reply && reply.error().kind == FailureKind::Overloaded;
    counters_.overloaded.add(is_overload ? 1 : 0);
    fail(flight, std::move(taken.error()), !is_overload);
  }
}

// Keeps the answer in `packet` and hands it to everybody who waits.
std::expected<void, Failure> Resolver::take_answer(Flight& flight, Bytes packet) {
  dns::Response& response = *response_;
  if (!dns::read_response(packet, response)) {
    return std::unexpected(Failure{.reason = dns::ExtendedError::NetworkError,
                                   .text = "the upstream's answer cannot be read"});
  }
  if (response.rcode != dns::Rcode::NoError && response.rcode != dns::Rcode::NxDomain) {
    return std::unexpected(failure_of(response));
  }
  const SteadyTime now = clock_.now();
  const CachedAnswer* answer = cache_.store(flight.question, packet, response, seconds_of(now));
  if (answer == nullptr) {
    return std::unexpected(
        Failure{.reason = dns::ExtendedError::Other, .text = "the upstream's answer is too large"});
  }
  failures_.forget(flight.question);
  complete(flight, {.question = flight.question, .answer = answer});
  return {};
}

void Resolver::fail(Flight& flight, Failure failure, bool is_remembered) {
  counters_.failed.add();
  if (const CachedAnswer* old = find_stale(flight.question)) {
    counters_.stale.add(flight.waiters.size());
    complete(flight, stale(flight.question, *old, failure.text));
  } else {
    complete(flight, failed(flight.question, failure));
  }
  if (is_remembered) {
    failures_.remember(flight.question, std::move(failure), clock_.now());
  }
}

void Resolver::complete(Flight& flight, const Resolution& resolution) {
  // Whoever is told may ask again at once.
  const std::vector<Resolved> waiters = std::exchange(flight.waiters, {});
  waiting_ -= waiters.size();
  for (const Resolved& waiter : waiters) {
    waiter(resolution);
  }
}

}  // namespace waypost::resolver
