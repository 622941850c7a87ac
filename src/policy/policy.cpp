#include "policy/policy.h"

#include <algorithm>

namespace waypost::policy {

std::unique_ptr<const Policy> Policy::make(const Options& options, const Policy* before,
                                           std::uint64_t seed) {
  if (options.limit.rate == 0 && options.access.empty()) {
    return nullptr;
  }
  std::shared_ptr<ClientBuckets> buckets;
  if (options.limit.rate != 0) {
    const bool is_same = before != nullptr && before->buckets_ != nullptr &&
                         before->buckets_->limit() == options.limit;
    buckets = is_same ? before->buckets_ : std::make_shared<ClientBuckets>(options.limit, seed);
  }
  return std::unique_ptr<const Policy>(new Policy(options, std::move(buckets)));
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
