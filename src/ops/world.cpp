#include "ops/world.h"

#include <utility>

namespace waypost::ops {

World::~World() {
  views_.index.store(nullptr, std::memory_order_release);
}

void World::apply(const records::Options& records, const sources::ManifestOptions& manifests) {
  const bool same_content = content_ != nullptr && folder_ == manifests.folder &&
                            service_cidrs_ == manifests.service_cidrs;
  if (same_content && records_ == records) {
    return;
  }
  std::unique_ptr<Content> old_content;
  if (!same_content) {
    auto content = std::make_unique<Content>(manifests);
    (void)content->source.load();  // What it returns is in errors() as well.
    old_content = std::exchange(content_, std::move(content));
    folder_ = manifests.folder;
    service_cidrs_ = manifests.service_cidrs;
  }
  records_ = records;
  auto publisher = std::make_unique<records::Publisher>(records, content_->cache, retired_);
  views_.index.store(&publisher->index(), std::memory_order_release);
  // The old publisher unsubscribes from the old cache, so it goes first.
  const std::unique_ptr<records::Publisher> old_publisher =
      std::exchange(publisher_, std::move(publisher));
  rcu::synchronize();
}

void World::reload() {
  (void)content_->source.load();
  retired_.reclaim();
}

}  // namespace waypost::ops
