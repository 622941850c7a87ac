#include "resolver/inquiry.h"

#include "resolver/upstream_set.h"

#include <algorithm>
#include <utility>

namespace waypost::resolver {
namespace {

// Of several failures the one that says most is told.
int weight(FailureKind kind) noexcept {
  switch (kind) {
    case FailureKind::AllRefused:
      return 6;
    case FailureKind::TlsRefused:
      return 5;
    case FailureKind::Timeout:
      return 4;
    case FailureKind::BadAnswers:
      return 3;
    case FailureKind::Unreachable:
      return 2;
    case FailureKind::Overloaded:
      return 1;
    case FailureKind::NoUpstream:
    case FailureKind::Stopped:
      return 0;
  }
  return 0;
}

FailureKind kind_of(ExchangeFailure failure) noexcept {
  switch (failure) {
    case ExchangeFailure::Timeout:
      return FailureKind::Timeout;
    case ExchangeFailure::Unreachable:
      return FailureKind::Unreachable;
    case ExchangeFailure::TlsRefused:
      return FailureKind::TlsRefused;
    case ExchangeFailure::BadAnswers:
      return FailureKind::BadAnswers;
    case ExchangeFailure::Overloaded:
      return FailureKind::Overloaded;
  }
  return FailureKind::BadAnswers;
}

}  // namespace

Inquiry::Inquiry(UpstreamSet& set, const Question& question, Effort effort,
                 Forwarder::Completion done)
    : set_(set),
      question_(question),
      done_(std::move(done)),
      turn_(set.next_turn()),
      late_(set.surroundings().clock, [this] { on_late(); }),
      deadline_(set.surroundings().clock, [this] { on_deadline(); }),
      effort_(effort) {
  tries_.reserve(MaxTries);
}

void Inquiry::start() {
  deadline_.set(effort_.deadline);
  if (!ask_next(false)) {
    failure_ = ForwardFailure{FailureKind::NoUpstream, {}};
    deadline_.set(set_.surroundings().clock.now());
  }
}

void Inquiry::stop() {
  if (done_) {
    deliver(std::unexpected(ForwardFailure{FailureKind::Stopped, {}}));
  }
}

bool Inquiry::has_asked(const Upstream& upstream) const noexcept {
  return std::ranges::any_of(tries_,
                             [&](const Try& one) { return one.upstream.get() == &upstream; });
}

bool Inquiry::ask_next(bool is_hedge) {
  if (tries_.size() == MaxTries) {
    return false;
  }
  auto choice = set_.choose(*this);
  if (!choice.upstream) {
    return false;
  }
  ask(std::move(choice.upstream), is_hedge);
  late_.set(set_.surroundings().clock.now() + choice.patience);
  return true;
}

// A datagram may be lost; a connection repeats by itself what it has lost, as long as there is one.
bool Inquiry::is_worth_repeating(std::size_t index) const noexcept {
  const Try& one = tries_[index];
  std::size_t count = 0;
  for (std::size_t i = 0; i < tries_.size(); ++i) {
    const bool is_same = tries_[i].upstream == one.upstream;
    if (is_same && i > index) {
      return false;
    }
    count += is_same ? 1 : 0;
  }
  const bool is_datagram = one.upstream->address().transport == Transport::Udp;
  const std::size_t pending = is_datagram ? MaxTriesOfOne : 0;
  const std::size_t failed = effort_.repeats ? one.most : 0;
  return count < (one.is_over ? failed : pending) &&
         one.upstream->health().state() != HealthState::Looping;
}

// All that failed, and of those that may only be slow the one that was asked first.
void Inquiry::ask_again() {
  const std::size_t size = tries_.size();
  bool has_asked_slow = false;
  for (std::size_t i = 0; i < size && tries_.size() < MaxTries; ++i) {
    if (is_worth_repeating(i) && (tries_[i].is_over || !has_asked_slow)) {
      has_asked_slow = has_asked_slow || !tries_[i].is_over;
      ask(tries_[i].upstream, !tries_[i].is_over);
    }
  }
}

bool Inquiry::wait_to_repeat() {
  bool is_any = false;
  for (std::size_t i = 0; i < tries_.size(); ++i) {
    is_any = is_any || is_worth_repeating(i);
  }
  if (best_ || !is_any || tries_.size() == MaxTries) {
    return false;
  }
  if (!repeat_pause_) {
    set_repeat();
  }
  return repeat_at_ < effort_.deadline;
}

// The pauses grow, so that a server that is merely slow is not pressed.
void Inquiry::set_repeat() {
  repeat_pause_ = repeat_pause_ ? std::min(*repeat_pause_ * 2, LongestRepeat) : FirstRepeat;
  repeat_at_ = set_.surroundings().clock.now() + *repeat_pause_;
  late_.set(repeat_at_);
}

void Inquiry::ask(std::shared_ptr<Upstream> upstream, bool is_hedge) {
  upstream->counters().hedges += is_hedge ? 1 : 0;
  const std::size_t index = tries_.size();
  auto exchange = std::make_shared<Exchange>(
      upstream, question_, Purpose::Query,
      [this, index](ExchangeResult result) { on_result(index, std::move(result)); });
  tries_.push_back({.upstream = std::move(upstream), .exchange = exchange, .is_hedge = is_hedge});
  exchange->start();
}

void Inquiry::on_late() {
  if (!done_) {
    return;
  }
  if (!repeat_pause_ && !tries_.back().is_over) {
    tries_.back().upstream->note_late();
  }
  if (ask_next(true)) {
    return;
  }
  // Everybody was asked.
  if (repeat_pause_) {
    ask_again();
  }
  set_repeat();
  if (!is_waiting()) {
    give_up(FailureKind::NoUpstream);
    set_.on_answered(*this, false);
  }
}

void Inquiry::on_deadline() {
  if (!done_) {
    return;
  }
  give_up(FailureKind::Timeout);
  set_.on_answered(*this, is_waiting());
}

void Inquiry::on_result(std::size_t index, ExchangeResult result) {
  Try& one = tries_[index];
  one.is_over = true;
  if (result) {
    take_answer(one, std::move(*result));
  } else {
    take_failure(one, result.error());
  }
  // What is late with one upstream may still come; another one may be quicker.
  if (done_ && !ask_next(false) && !is_waiting() && !wait_to_repeat()) {
    give_up(FailureKind::NoUpstream);
  }
  if (!done_) {
    set_.on_answered(*this, is_waiting());
  }
}

void Inquiry::take_answer(Try& one, Answer answer) {
  UpstreamCounters& counters = one.upstream->counters();
  if (answer.is_good()) {
    one.upstream->note_good();
    has_good_answer_ = true;
    blame_those_that_refused();
    if (!done_) {
      ++counters.late_answers;
      return;
    }
    counters.hedge_wins += one.is_hedge ? 1 : 0;
    deliver(std::move(answer.octets));
    return;
  }
  one.has_refused = true;
  if (has_good_answer_) {
    blame_those_that_refused();
  }
  note_failure(FailureKind::AllRefused, *one.upstream);
  // All may fail for a reason that lies with the name (RFC 4035, 5.5): that is then the answer, and
  // nobody's fault.  Refusals and referrals say something about the server, and are no answer.
  if (!best_ && answer.rcode == dns::Rcode::ServFail) {
    best_ = std::move(answer);
  }
}

void Inquiry::take_failure(Try& one, ExchangeFailure failure) {
  note_failure(kind_of(failure), *one.upstream);
  switch (failure) {
    case ExchangeFailure::Timeout:
      one.most = MaxTriesOfOne;
      note_bad(one, "it does not answer");
      return;
    case ExchangeFailure::Unreachable:
      one.most = MaxTriesOfUnreachable;
      note_bad(one, "it is not reachable");
      return;
    case ExchangeFailure::TlsRefused:
      // Where it had worked, the server is on its way out or in.
      one.most = one.upstream->latency().is_known() ? MaxTriesOfUnreachable : 0;
      note_bad(one, "TLS fails");
      return;
    case ExchangeFailure::BadAnswers:
      note_bad(one, "it sends no answers to what it is asked");
      return;
    case ExchangeFailure::Overloaded:  // That lies with us.
      return;
  }
}

void Inquiry::blame_those_that_refused() {
  for (Try& one : tries_) {
    if (std::exchange(one.has_refused, false)) {
      note_bad(one, "it refuses what others answer");
    }
  }
}

void Inquiry::note_bad(Try& one, const std::string& reason) {
  if (std::ranges::find(blamed_, one.upstream.get()) != blamed_.end()) {
    return;
  }
  blamed_.push_back(one.upstream.get());
  one.upstream->note_bad(reason);
  set_.on_bad();
}

void Inquiry::note_failure(FailureKind kind, const Upstream& upstream) {
  if (!failure_ || weight(kind) >= weight(failure_->kind)) {
    failure_ = ForwardFailure{kind, upstream.address().to_text()};
  }
}

bool Inquiry::is_waiting() const noexcept {
  return std::ranges::any_of(tries_, [](const Try& one) { return !one.is_over; });
}

void Inquiry::deliver(Reply reply) {
  late_.cancel();
  deadline_.cancel();
  set_.post(std::exchange(done_, nullptr), std::move(reply));
}

void Inquiry::give_up(FailureKind kind) {
  if (best_) {
    deliver(std::move(best_->octets));
    return;
  }
  // Who is still waited for is why there is no answer at the deadline.
  for (const Try& one : tries_) {
    if (!one.is_over) {
      note_failure(kind, *one.upstream);
    }
  }
  deliver(std::unexpected(failure_ ? *failure_ : ForwardFailure{kind, {}}));
}

}  // namespace waypost::resolver
