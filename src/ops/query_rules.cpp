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

QueryRules::QueryRules(boost::asio::io_context& context, server::Views& views, std::size_t readers,
                       const std::optional<dns::CookieMaker::Secret>& secret)
    : views_(views),
      readers_(readers),
      own_secret_(secret ? *secret : random_secret()),
      host_files_(context, [this] { on_hosts_changed(); }) {}

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
  options_ = config.rules;
  host_config_ = config.hosts;
  host_files_.follow(host_config_.files);
  load_hosts();
}

void QueryRules::reload_hosts() {
  if (host_files_.look()) {
    load_hosts();
  }
}

void QueryRules::load_hosts() {
  policy::HostLines lines = host_config_.lines;
  Problems problems;
  for (const FollowedFile& file : host_files_.files()) {
    lines.read(file.text, file.path.string());
    if (!file.problem.empty()) {
      problems.push_back({ErrorKind::System, file.problem});
    }
  }
  bad_host_lines_ = lines.bad_lines;
  problems.insert(problems.end(), lines.problems.begin(), lines.problems.end());
  host_problems_.update(problems);
  hosts_ = host_config_.is_on() ? std::make_shared<const policy::Hosts>(lines, host_config_.options)
                                : nullptr;
  rcu::replace(
      views_.rules, rules_,
      policy::Policy::make(options_, hosts_, rules_.get(), SystemRandom().next(), readers_));
}

void QueryRules::on_hosts_changed() {
  load_hosts();
  log::info("hosts read again: {} names", hosts_->entry_count());
}

void QueryRules::collect(Scrape& scrape) const {
  scrape.gauge("coredns_hosts_entries", "Names with an address in hosts and hostsFiles.",
               hosts_ == nullptr ? 0 : static_cast<double>(hosts_->entry_count()));
  scrape.gauge("waypost_hosts_bad_lines", "Lines of hostsFiles that are left out.",
               static_cast<double>(bad_host_lines_));
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
