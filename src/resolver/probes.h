// Questions of our own: does an upstream that is down answer again, and does one send our questions
// back to us?
//
// A server is asked for the SOA of its zone when its pause is over (resolver/health.h): one cheap
// question, most likely cached there.  A loop is looked for as CoreDNS' does, with a name that
// nobody else asks for and that must be asked elsewhere: if it comes in here, that upstream leads
// to us.  That is done when an upstream is new and every ten minutes, and for a looping one after
// 30 seconds and ever longer pauses, up to ten minutes.

#pragma once

#include "base/alarm.h"
#include "dns/name.h"
#include "resolver/exchange.h"
#include "resolver/health.h"
#include "resolver/question.h"
#include "resolver/surroundings.h"
#include "resolver/upstream.h"

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <vector>

namespace waypost::resolver {

// One thread.  At most one question of each kind is under way for each upstream.
class Probes {
 public:
  static constexpr std::chrono::milliseconds FirstLoopPause{30'000};
  static constexpr std::chrono::milliseconds LoopPause{600'000};

  // `zone` is copied.
  Probes(Surroundings& surroundings, const dns::Name& zone);
  Probes(const Probes&) = delete;
  Probes& operator=(const Probes&) = delete;

  // From now on these; what is known about those that stay is kept.
  void watch(const std::vector<std::shared_ptr<Upstream>>& upstreams);
  // An upstream may have gone down.
  void schedule();
  // True for a question of ours that came back: its upstream is looping.
  bool take(const Question& question);

 private:
  struct Watched {
    explicit Watched(std::shared_ptr<Upstream> of) : upstream(std::move(of)) {}

    std::shared_ptr<Upstream> upstream;
    std::shared_ptr<Exchange> health;  // Under way, or null.
    std::shared_ptr<Exchange> loop;
    std::optional<Question> loop_question;  // The last one.
    bool has_come_back = false;             // It did.
    AlarmClock::Time loop_at;
    Pause loop_pause{FirstLoopPause, LoopPause};
  };

  void on_alarm();
  void probe_health(Watched& watched);
  void probe_loop(Watched& watched);
  void on_health(Watched& watched, const ExchangeResult& result);
  void on_loop(Watched& watched, const ExchangeResult& result);
  std::optional<Question> make_loop_question();

  Surroundings& surroundings_;
  const dns::Name zone_;
  const Question health_question_;
  std::list<Watched> watched_;
  Alarm alarm_;
};

}  // namespace waypost::resolver
