// The API server as a source of objects: every kind that is asked for, kept equal to the server's.
//
// Each kind has a reflector of its own.  The cache is synced once every kind was listed; a kind
// that the server forbids does not hold the others back.  Without the right to read Namespaces,
// those that Services live in are taken to exist.
//
// Not here: one kind (sources/reflector.h), the connection (kube/api_client.h), the saved world
// (cache/snapshot.h).

#pragma once

#include "base/timer.h"
#include "cache/service_cache.h"
#include "kube/api_transport.h"
#include "sources/reflector.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

namespace waypost::sources {

struct ApiOptions {
  std::vector<KindRequest> kinds;  // Each kind once; Services and EndpointSlices always.
  ReflectorOptions reflector;
};

// What answering names takes: Namespaces, Services and EndpointSlices, with `pods` all Pods too.
// The labels of Services are kept with `service_labels` only.
std::vector<KindRequest> kinds_for_names(bool pods, bool service_labels);

// Control thread only.
class ApiSource {
 public:
  // `cache` and `events` are borrowed and outlive this object.  Nothing is asked yet.
  ApiSource(boost::asio::io_context& context, ApiOptions options,
            std::unique_ptr<kube::ApiTransport> transport, std::unique_ptr<Timer> timer,
            cache::ServiceCache& cache, SourceEvents& events);
  // Touches neither the cache nor `events` any more.  What is under way ends in the background.
  ~ApiSource();
  ApiSource(const ApiSource&) = delete;
  ApiSource& operator=(const ApiSource&) = delete;

  // Starts to list and to watch.  Call once.
  void start();

  // True once every kind was listed, except those that are forbidden; it stays so.
  bool is_synced() const noexcept;
  // In the order of ApiOptions::kinds; valid as long as this object.
  std::vector<const KindStatus*> statuses() const;
  // How long ago it was last certain, of every kind that is not forbidden, that nothing was missed;
  // nothing before that.
  std::optional<std::chrono::milliseconds> age() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // Shared with the coroutines.
};

}  // namespace waypost::sources
