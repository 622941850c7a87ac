#include "ops/query_rules.h"

#include "base/log.h"
#include "base/random.h"
#include "base/rcu.h"

#include <random>
#include <utility>

namespace waypost::ops {
namespace {

dns::CookieMaker::Secret random_secret() {
  std::random_device device;  // getrandom(2) or its like: fit for secrets.
  dns::CookieMaker::Secret secret{};
  for (std::uint8_t& octet : secret) {
    octet = static_cast<std::uint8_t>(device());
  }
  return secret;
}

}  // namespace

QueryRules::QueryRules(server::Views& views, const std::optional<dns::CookieMaker::Secret>& secret)
    : views_(views), own_secret_(secret ? *secret : random_secret()) {}

QueryRules::~QueryRules() {
  views_.rules.store(nullptr, std::memory_order_release);
  views_.policy.store(nullptr, std::memory_order_release);
}

void QueryRules::configure(const Config& config) {
  answers_ = config.policy;
  if (config.cookie_secret_file.empty()) {
    answers_.cookie_secret = own_secret_;
  }
  if (families_ != config.families) {
    families_ = config.families;
    next_look_ = {};
    signs_ = {};
  }
  publish_answers();
  rcu::replace(views_.rules, rules_,
               policy::Policy::make(config.rules, rules_.get(), SystemRandom().next()));
}

void QueryRules::look_at(const cache::ServiceCache& cache) {
  const auto now = std::chrono::steady_clock::now();
  if (families_ != Families::Auto || !cache.is_synced() || now < next_look_) {
    return;
  }
  next_look_ = now + LookInterval;
  if (std::exchange(signs_, signs_of(cache, own_signs())) != signs_) {
    publish_answers();
    const dns::RecordType unusable = unusable_type(families_, signs_);
    if (unusable == dns::RecordType{}) {
      log::info("families: upstreams are asked for addresses of both families");
    } else {
      log::info(
          "families: upstreams are not asked for {}, of whose family there is no address here",
          dns::to_text(unusable));
    }
  }
}

void QueryRules::publish_answers() {
  auto next = std::make_unique<server::AnswerPolicy>(answers_);
  next->unusable = unusable_type(families_, signs_);
  rcu::replace(views_.policy, policy_, std::move(next));
}

}  // namespace waypost::ops
