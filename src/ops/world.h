// The cluster as its source tells it and the names made of it, published to the workers.
//
// A world is a cache, its source and a Publisher.  New record options put a new Publisher over the
// same cache; another folder starts over with a cache of its own, built whole before readers see
// it.  From an API server the cache fills while it is served: until it is synced, the cluster's
// names are answered with SERVFAIL, unless a saved world was loaded into it.
//
// Not here: when to do so (ops/life_cycle.h).

#pragma once

#include "base/rcu.h"
#include "cache/service_cache.h"
#include "kube/api_transport.h"
#include "ops/config.h"
#include "ops/programming_times.h"
#include "records/publisher.h"
#include "search/pod_directory.h"
#include "server/responder.h"
#include "sources/api_source.h"
#include "sources/manifest_source.h"

#include <functional>
#include <memory>
#include <optional>

namespace waypost::ops {

// Control thread only.
class World {
 public:
  // `views` is borrowed and outlives this object; its index is set by the first serve_*().
  explicit World(server::Views& views) : views_(views) {}
  // REQUIRES: no reader is left.
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Serves a folder with these options, or no object at all when the cluster is not served.  Does
  // nothing when it is in force already.  What is wrong in the folder is in problems(); the rest of
  // it is served.
  void serve_folder(const records::Options& records, const sources::ManifestOptions& manifests);

  // What fills a cache and keeps it up to date from then on.
  using ConnectApi = std::function<std::unique_ptr<sources::ApiSource>(cache::ServiceCache&)>;
  // Serves what an API server tells: `connect` is called once, on an empty cache that nobody sees
  // yet and that keeps what `kept` says, and may load a saved world into it; then the source is
  // started.
  void serve_api(const records::Options& records, const cache::Kept& kept,
                 const ConnectApi& connect);
  // Serves what `feed` tells, which is borrowed and outlives this object; cache(), api() and the
  // folder are not there then.  Call once.
  void serve_feed(const records::Options& records, cache::Feed& feed);
  // New options for the world that is served.  REQUIRES: serve_*() was called.
  void apply(const records::Options& records);

  // Has names completed for the Pods of what is served, now and later (search/walk.h); `hosts` are
  // the search domains of their nodes.
  void complete_searches(const std::vector<std::string>& hosts);

  // Reads the folder again.  REQUIRES: serve_folder() was called.
  void reload();
  // Frees what readers cannot see any more.
  void reclaim() { retired_.reclaim(); }

  // All problems of the last reading of a folder.
  Problems problems() const {
    return content_->manifests ? content_->manifests->errors() : Problems{};
  }
  const cache::ServiceCache& cache() const noexcept { return content_->cache; }
  const records::Publisher& publisher() const noexcept { return *publisher_; }
  // How long changes from an API server, or a feed of one, took to be in force.
  const ProgrammingTimes& programming_times() const noexcept { return times_; }
  // Null unless names are completed.
  const search::PodDirectory* pods() const noexcept { return pods_.get(); }
  // Null unless the world comes from an API server.
  const sources::ApiSource* api() const noexcept {
    return content_ == nullptr ? nullptr : content_->api.get();
  }

 private:
  struct Content {
    explicit Content(const cache::Kept& kept) : cache(kept) {}
    cache::ServiceCache cache;
    std::optional<sources::ManifestSource> manifests;
    std::unique_ptr<sources::ApiSource> api;
  };

  void publish(const records::Options& records, cache::Feed& feed);
  std::unique_ptr<search::PodDirectory> follow_pods();

  server::Views& views_;
  rcu::RetireList retired_;
  records::Options records_;
  std::filesystem::path folder_;
  std::vector<IpPrefix> service_cidrs_;
  std::unique_ptr<Content> content_;
  ProgrammingTimes times_{std::chrono::system_clock::now};
  cache::Feed* feed_ = nullptr;  // The content's cache; without content what was given.
  std::optional<std::vector<std::string>> hosts_;  // Nothing: no name is completed.
  // After what they follow.
  std::unique_ptr<records::Publisher> publisher_;
  std::unique_ptr<search::PodDirectory> pods_;
};

}  // namespace waypost::ops
