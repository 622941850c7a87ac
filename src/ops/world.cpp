#include "ops/world.h"

#include <utility>

namespace waypost::ops {

World::~World() {
  views_.index.store(nullptr, std::memory_order_release);
  views_.pods.store(nullptr, std::memory_order_release);
  if (content_ == nullptr && feed_ != nullptr) {  // It was given, and lives on.
    feed_->unsubscribe(times_);
  }
}

std::unique_ptr<search::PodDirectory> World::follow_pods() {
  return hosts_ ? std::make_unique<search::PodDirectory>(
                      *feed_, search::SearchSurroundings{records_.zone, *hosts_}, retired_)
                : nullptr;
}

void World::complete_searches(const std::vector<std::string>& hosts) {
  hosts_ = hosts;
  if (pods_ != nullptr) {
    pods_->set_surroundings({records_.zone, hosts});
  } else if (feed_ != nullptr) {
    pods_ = follow_pods();
    views_.pods.store(pods_.get(), std::memory_order_release);
  }
}

// What is followed is another one than before, or the options are others.
void World::publish(const records::Options& records, cache::Feed& feed) {
  const bool is_other_feed = std::exchange(feed_, &feed) != &feed;
  records_ = records;
  auto publisher = std::make_unique<records::Publisher>(records, *feed_, retired_);
  views_.index.store(&publisher->index(), std::memory_order_release);
  const std::unique_ptr<records::Publisher> old = std::exchange(publisher_, std::move(publisher));
  std::unique_ptr<search::PodDirectory> old_pods;
  if (is_other_feed) {
    old_pods = std::exchange(pods_, follow_pods());
    views_.pods.store(pods_.get(), std::memory_order_release);
  } else if (pods_ != nullptr) {
    pods_->set_surroundings({records_.zone, *hosts_});
  }
  rcu::synchronize();
}

void World::serve_folder(const records::Options& records,
                         const sources::ManifestOptions& manifests) {
  if (content_ != nullptr && folder_ == manifests.folder &&
      service_cidrs_ == manifests.service_cidrs) {
    return apply(records);
  }
  auto content = std::make_unique<Content>(cache::Kept{});
  if (records.is_served) {
    content->manifests.emplace(manifests, content->cache);
    (void)content->manifests->load();  // What it returns is in errors() as well.
  } else {
    content->cache.set_synced();
  }
  folder_ = manifests.folder;
  service_cidrs_ = manifests.service_cidrs;
  // The old publisher unsubscribes from the old cache in publish(), before that goes.
  const std::unique_ptr<Content> old = std::exchange(content_, std::move(content));
  publish(records, content_->cache);
}

void World::serve_api(const records::Options& records, const cache::Kept& kept,
                      const ConnectApi& connect) {
  auto content = std::make_unique<Content>(kept);
  content->cache.subscribe(times_);  // While it is empty.
  content->api = connect(content->cache);
  const std::unique_ptr<Content> old = std::exchange(content_, std::move(content));
  publish(records, content_->cache);
  content_->api->start();
}

void World::serve_feed(const records::Options& records, cache::Feed& feed) {
  feed.subscribe(times_);
  publish(records, feed);
}

void World::apply(const records::Options& records) {
  if (records_ != records) {
    publish(records, *feed_);
  }
}

void World::reload() {
  if (content_->manifests) {
    (void)content_->manifests->load();
  }
  retired_.reclaim();
}

}  // namespace waypost::ops
