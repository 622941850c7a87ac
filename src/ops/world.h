// The cluster as manifests tell it and the names made of it, published to the workers.
//
// A world is a cache, its source and a Publisher.  New record options put a new Publisher over the
// same cache; another folder starts over with a cache of its own, built whole before readers see
// it.
//
// Not here: when to do so (ops/life_cycle.h).

#pragma once

#include "base/rcu.h"
#include "cache/service_cache.h"
#include "ops/config.h"
#include "records/publisher.h"
#include "server/responder.h"
#include "sources/manifest_source.h"

#include <memory>

namespace waypost::ops {

// Control thread only.
class World {
 public:
  // `views` is borrowed and outlives this object; its index is set by the first apply().
  explicit World(server::Views& views) : views_(views) {}
  // REQUIRES: no reader is left.
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Puts these options in force.  Does nothing when they are in force already.  What is wrong in
  // the folder is in problems(); the rest of it is served.
  void apply(const records::Options& records, const sources::ManifestOptions& manifests);

  // Reads the folder again.  REQUIRES: apply() was called.
  void reload();

  // All problems of the last reading.
  const Problems& problems() const noexcept { return content_->source.errors(); }
  const cache::ServiceCache& cache() const noexcept { return content_->cache; }
  const records::Publisher& publisher() const noexcept { return *publisher_; }

 private:
  struct Content {
    explicit Content(const sources::ManifestOptions& options) : source(options, cache) {}
    cache::ServiceCache cache;
    sources::ManifestSource source;
  };

  server::Views& views_;
  rcu::RetireList retired_;
  records::Options records_;
  std::filesystem::path folder_;
  std::vector<IpPrefix> service_cidrs_;
  std::unique_ptr<Content> content_;
  std::unique_ptr<records::Publisher> publisher_;  // After what it follows.
};

}  // namespace waypost::ops
