// One question through a set of upstreams: the first is asked; when it is late, or answers badly,
// the next one is; the first good answer wins.  Those that answer later are still waited for, to
// know how long they take.

#pragma once

#include "base/alarm.h"
#include "resolver/exchange.h"
#include "resolver/forward_failure.h"
#include "resolver/forwarder.h"
#include "resolver/question.h"
#include "resolver/upstream.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace waypost::resolver {

class UpstreamSet;

// One thread; stays where it is made.  Its set holds it in a list.
class Inquiry {
 public:
  // Questions that it may ask in all, and one upstream: again, when UDP may have lost it.
  static constexpr std::size_t MaxTries = 8;
  static constexpr std::size_t MaxTriesOfOne = 6;
  // One that cannot be reached, which is known at once: for less than two seconds in all, so that
  // clients hear of it while they still wait.
  static constexpr std::size_t MaxTriesOfUnreachable = 4;
  // The least time before the same upstream is asked again; twice as long each time, up to the
  // longest.
  static constexpr std::chrono::milliseconds FirstRepeat{250};
  static constexpr std::chrono::milliseconds LongestRepeat{1000};

  // `set` is borrowed.
  Inquiry(UpstreamSet& set, const Question& question, Effort effort, Forwarder::Completion done);
  Inquiry(const Inquiry&) = delete;
  Inquiry& operator=(const Inquiry&) = delete;

  // Its set is told when it is answered, and when nothing is waited for any more; never from within
  // start().
  void start();
  // Completes with Stopped if it has not completed yet.
  void stop();

  bool has_asked(const Upstream& upstream) const noexcept;
  // Where round robin begins.
  std::size_t turn() const noexcept { return turn_; }

 private:
  struct Try {
    std::shared_ptr<Upstream> upstream;
    std::shared_ptr<Exchange> exchange;
    bool is_hedge = false;
    bool is_over = false;
    std::size_t most = 0;      // Tries that its upstream is worth, once it is over.
    bool has_refused = false;  // It answered, but badly.
  };

  // Asks the next upstream, or nobody when there is none.
  bool ask_next(bool is_hedge);
  // Whether the upstream of tries_[index] is worth another one: the last one that it has had was
  // lost on the way, or may have been.
  bool is_worth_repeating(std::size_t index) const noexcept;
  void ask_again();
  void set_repeat();
  // After everybody failed: whether it is tried again in a while.
  bool wait_to_repeat();
  void ask(std::shared_ptr<Upstream> upstream, bool is_hedge);
  void on_late();
  void on_deadline();
  void on_result(std::size_t index, ExchangeResult result);
  void take_answer(Try& one, Answer answer);
  void take_failure(Try& one, ExchangeFailure failure);
  void blame_those_that_refused();
  // Once for each upstream, however often it was asked.
  void note_bad(Try& one, const std::string& reason);
  void note_failure(FailureKind kind, const Upstream& upstream);
  bool is_waiting() const noexcept;
  void deliver(Reply reply);
  void give_up(FailureKind kind);

  UpstreamSet& set_;
  const Question question_;
  Forwarder::Completion done_;  // Empty once it is answered.
  const std::size_t turn_;
  std::vector<Try> tries_;
  bool has_good_answer_ = false;
  std::optional<std::chrono::milliseconds> repeat_pause_;  // Once everybody was asked.
  SteadyTime repeat_at_;
  std::optional<Answer> best_;  // The best of the bad ones: SERVFAIL.
  std::optional<ForwardFailure> failure_;
  std::vector<const Upstream*> blamed_;
  Alarm late_;
  Alarm deadline_;
  const Effort effort_;
};

}  // namespace waypost::resolver
