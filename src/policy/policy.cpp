#include "policy/policy.h"

#include <algorithm>

namespace waypost::policy {

Policy::Policy(const Options& options, std::shared_ptr<const Hosts> hosts,
               std::shared_ptr<ClientBuckets> buckets, std::size_t readers)
    : options_(options),
      rewriter_(options.rewrites),
      hosts_(std::move(hosts)),
      buckets_(std::move(buckets)),
      readers_(readers) {
  if (!options_.rewrites.empty() || !options_.templates.empty()) {
    for (std::size_t i = 0; i < readers; ++i) {
      rooms_.push_back(std::make_unique<Room>());
    }
  }
}

std::unique_ptr<const Policy> Policy::make(const Options& options,
                                           std::shared_ptr<const Hosts> hosts, const Policy* before,
                                           std::uint64_t seed, std::size_t readers) {
  if (options.limit.rate == 0 && options.access.empty() && options.rewrites.empty() &&
      options.templates.empty() && hosts == nullptr) {
    return nullptr;
  }
  std::shared_ptr<ClientBuckets> buckets;
  if (options.limit.rate != 0) {
    const bool is_same = before != nullptr && before->buckets_ != nullptr &&
                         before->buckets_->limit() == options.limit;
    buckets = is_same ? before->buckets_ : std::make_shared<ClientBuckets>(options.limit, seed);
  }
  return std::unique_ptr<const Policy>(
      new Policy(options, std::move(hosts), std::move(buckets), readers));
}

bool Policy::decides_addresses(const dns::NameKey& name, Room* room) const noexcept {
  if (!rewriter_.is_empty() &&
      rewriter_.rewrite(name, room->rewriting) != Rewriter::Outcome::Unchanged) {
    return true;
  }
  if (hosts_ != nullptr && hosts_->decides(name)) {
    return true;
  }
  const auto is_for = [&](dns::RecordType type) noexcept {
    return is_for_template(options_.templates, name, type, room->templates);
  };
  return !options_.templates.empty() &&
         (is_for(dns::RecordType::A) || is_for(dns::RecordType::AAAA));
}

ClientBuckets::Verdict Policy::admit(const IpAddress& client, std::uint64_t now) const noexcept {
  const auto& exempt = options_.limit.exempt;
  if (buckets_ == nullptr || std::any_of(exempt.begin(), exempt.end(), [&](const IpPrefix& prefix) {
        return prefix.contains(client);
      })) {
    return ClientBuckets::Verdict::Granted;
  }
  return buckets_->take(client, now);
}

}  // namespace waypost::policy
