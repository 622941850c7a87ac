#include "resolver/probes.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace waypost::resolver {
namespace {

Question question_for(const dns::Name& name, dns::RecordType type) {
  Question question;
  question.name.assign(name.wire());
  question.type = type;
  return question;
}

}  // namespace

Probes::Probes(Surroundings& surroundings, const dns::Name& zone)
    : surroundings_(surroundings),
      zone_(zone),
      health_question_(question_for(zone, dns::RecordType::SOA)),
      alarm_(surroundings.clock, [this] { on_alarm(); }) {}

void Probes::watch(const std::vector<std::shared_ptr<Upstream>>& upstreams) {
  std::erase_if(watched_, [&](const Watched& watched) {
    return std::ranges::find(upstreams, watched.upstream) == upstreams.end();
  });
  for (const auto& upstream : upstreams) {
    if (std::ranges::find(watched_, upstream, &Watched::upstream) == watched_.end()) {
      watched_.emplace_back(upstream).loop_at = surroundings_.clock.now();
    }
  }
  schedule();
}

void Probes::schedule() {
  std::optional<AlarmClock::Time> first;
  const auto consider = [&](AlarmClock::Time time) {
    first = first ? std::min(*first, time) : time;
  };
  for (const Watched& watched : watched_) {
    const Health& health = watched.upstream->health();
    if (!watched.loop) {
      consider(watched.loop_at);
    }
    if (!watched.health && health.state() == HealthState::Down) {
      consider(health.probe_at());
    }
  }
  if (first) {
    alarm_.set(*first);
  } else {
    alarm_.cancel();
  }
}

bool Probes::take(const Question& question) {
  for (Watched& watched : watched_) {
    if (watched.loop_question && *watched.loop_question == question) {
      if (!std::exchange(watched.has_come_back, true)) {
        watched.upstream->note_loop(true);
      }
      return true;
    }
  }
  return false;
}

void Probes::on_alarm() {
  const auto now = surroundings_.clock.now();
  for (Watched& watched : watched_) {
    const Health& health = watched.upstream->health();
    if (!watched.loop && watched.loop_at <= now) {
      probe_loop(watched);
    }
    if (!watched.health && health.state() == HealthState::Down && health.probe_at() <= now) {
      probe_health(watched);
    }
  }
  schedule();
}

void Probes::probe_health(Watched& watched) {
  ++watched.upstream->counters().health_probes;
  watched.health = std::make_shared<Exchange>(
      watched.upstream, health_question_, Purpose::Probe,
      [this, &watched](const ExchangeResult& result) { on_health(watched, result); });
  watched.health->start();
}

void Probes::on_health(Watched& watched, const ExchangeResult& result) {
  watched.health.reset();
  watched.upstream->note_probe(result && result->is_good());
  schedule();
}

void Probes::probe_loop(Watched& watched) {
  watched.loop_question = make_loop_question();
  watched.has_come_back = false;
  if (!watched.loop_question) {
    watched.loop_at = surroundings_.clock.now() + LoopPause;
    return;
  }
  ++watched.upstream->counters().loop_probes;
  watched.loop = std::make_shared<Exchange>(
      watched.upstream, *watched.loop_question, Purpose::Probe,
      [this, &watched](const ExchangeResult& result) { on_loop(watched, result); });
  watched.loop->start();
}

void Probes::on_loop(Watched& watched, const ExchangeResult& result) {
  watched.loop.reset();
  if (result && !watched.has_come_back) {
    watched.loop_pause.reset();
    watched.upstream->note_loop(false);
    watched.loop_at = surroundings_.clock.now() + LoopPause;
  } else {
    // Without an answer nothing is known: what was known stays.
    watched.loop_at = surroundings_.clock.now() + watched.loop_pause.next(surroundings_.random);
  }
  schedule();
}

// "waypost-loop-<32 digits>.<zone>" as HINFO, which hardly anybody asks for.  Nothing when that is
// too long for a name.
std::optional<Question> Probes::make_loop_question() {
  constexpr std::string_view Digits = "0123456789abcdef";
  std::string label = "waypost-loop-";
  for (const std::uint64_t word : {surroundings_.random.next(), surroundings_.random.next()}) {
    for (int shift = 60; shift >= 0; shift -= 4) {
      label += Digits[(word >> shift) & 0xf];
    }
  }
  const auto name = zone_.child(label);
  return name ? std::optional(question_for(*name, dns::RecordType::HINFO)) : std::nullopt;
}

}  // namespace waypost::resolver
