#include "resolver/upstream_set.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <tuple>
#include <utility>

namespace waypost::resolver {
namespace {

// Those that are good come first, then those that let everybody wait, then those that are down.
int tier_of(const Upstream& upstream) noexcept {
  if (upstream.health().is_down()) {
    return 2;
  }
  return upstream.is_late() ? 1 : 0;
}

}  // namespace

UpstreamSet::UpstreamSet(Surroundings& surroundings, dns::Name zone)
    : surroundings_(surroundings), zone_(std::move(zone)), probes_(surroundings, zone_) {}

void UpstreamSet::replace(const std::vector<UpstreamAddress>& addresses) {
  const auto before = std::exchange(upstreams_, {});
  const auto find = [](const auto& upstreams, const UpstreamAddress& address) {
    const auto found = std::ranges::find_if(
        upstreams, [&](const auto& one) { return one->address().is_same(address); });
    return found == upstreams.end() ? nullptr : *found;
  };
  for (const UpstreamAddress& address : addresses) {
    if (find(upstreams_, address) != nullptr) {
      continue;
    }
    if (auto known = find(before, address)) {
      known->set_origin(address.origin);
      upstreams_.push_back(std::move(known));
    } else {
      upstreams_.push_back(std::make_shared<Upstream>(surroundings_, address, zone_.to_text()));
    }
  }
  probes_.watch(upstreams_);
}

void UpstreamSet::ask(const Question& question, Effort effort, Forwarder::Completion done) {
  if (upstreams_.empty()) {
    fail_soon(FailureKind::NoUpstream, std::move(done));
    return;
  }
  if (in_flight() >= surroundings_.options.max_in_flight) {
    if (lingering_.empty()) {
      fail_soon(FailureKind::Overloaded, std::move(done));
      return;
    }
    lingering_.pop_front();
  }
  if (std::ranges::none_of(
          upstreams_, [](const auto& one) { return one->health().state() == HealthState::Good; })) {
    surroundings_.without_good.add();
  }
  active_.emplace_back(*this, question, effort, std::move(done));
  active_.back().start();
}

void UpstreamSet::stop() {
  for (Inquiry& inquiry : active_) {
    inquiry.stop();
  }
  active_.clear();
  lingering_.clear();
  upstreams_.clear();
  probes_.watch(upstreams_);
}

void UpstreamSet::report(std::vector<UpstreamReport>& to) const {
  for (const auto& upstream : upstreams_) {
    to.push_back(upstream->report());
  }
}

UpstreamSet::Choice UpstreamSet::choose(const Inquiry& inquiry) {
  struct Candidate {
    int tier;
    std::uint64_t order;
    std::size_t index;
    auto operator<=>(const Candidate&) const = default;
  };
  std::array<Candidate, Forwarder::MaxUpstreams> candidates;
  std::size_t count = 0;
  bool is_first = true;
  const std::size_t size = upstreams_.size();
  for (std::size_t i = 0; i < size; ++i) {
    const Upstream& upstream = *upstreams_[i];
    if (inquiry.has_asked(upstream)) {
      is_first = false;
      continue;
    }
    if (upstream.health().state() == HealthState::Looping) {
      continue;
    }
    std::uint64_t order = i;
    switch (surroundings_.options.policy) {
      case Policy::Ranked:
        order = static_cast<std::uint64_t>(
            upstream.latency().expected(surroundings_.options.upstream_timeout).count());
        break;
      case Policy::Random:
        order = surroundings_.random.next();
        break;
      case Policy::Sequential:
        break;
      case Policy::RoundRobin:
        order = (i + size - inquiry.turn() % size) % size;
        break;
    }
    candidates[count++] = {tier_of(upstream), order, i};
  }
  if (count == 0) {
    return {};
  }
  const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(count);
  std::sort(candidates.begin(), end);
  const Upstream& best = *upstreams_[candidates[0].index];
  std::size_t chosen = 0;
  if (is_first && surroundings_.options.policy == Policy::Ranked) {
    const auto good = static_cast<std::size_t>(std::count_if(
        candidates.begin(), end, [](const Candidate& candidate) { return candidate.tier == 0; }));
    if (good > 1 && surroundings_.random.below(ExploresOneIn) == 0) {
      chosen = 1 + surroundings_.random.below(good - 1);
    }
  }
  auto upstream = upstreams_[candidates[chosen].index];
  // Who is asked to become known is not waited for any longer than the best one.
  const auto patience = std::min(upstream->patience(), best.patience());
  return {std::move(upstream), patience};
}

void UpstreamSet::post(Forwarder::Completion done, Reply reply) {
  boost::asio::post(
      surroundings_.executor,
      [done = std::move(done), reply = std::move(reply)]() mutable { done(std::move(reply)); });
}

void UpstreamSet::on_answered(Inquiry& inquiry, bool is_waiting) {
  const auto is_it = [&](const Inquiry& one) { return &one == &inquiry; };
  auto at = std::ranges::find_if(active_, is_it);
  if (at != active_.end()) {
    lingering_.splice(lingering_.end(), active_, at);
  }
  if (!is_waiting) {
    std::erase_if(lingering_, is_it);
  }
}

void UpstreamSet::fail_soon(FailureKind kind, Forwarder::Completion done) {
  post(std::move(done), std::unexpected(ForwardFailure{kind, {}}));
}

}  // namespace waypost::resolver
