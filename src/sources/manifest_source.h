// A folder of Kubernetes manifests as a source of objects: every *.yaml, *.yml and *.json file,
// read on start and again whenever it changes.
//
// A file that cannot be read, or is no YAML, keeps its last good objects and is reported; so does a
// single object that cannot be decoded.  Of an object in two files that in the first by name is
// used.  What a cluster's controllers would add is derived: Namespaces that objects live in,
// ClusterIPs that a manifest leaves out, EndpointSlices for Services whose folder has Pods but no
// slices.
//
// Not here: decoding (kube/yaml_decoder.h), what becomes of the objects (cache/).

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "cache/service_cache.h"
#include "kube/object_decoders.h"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace waypost::sources {

struct ManifestOptions {
  std::filesystem::path folder;
  // Where Services without clusterIP get theirs: at most one prefix of each family.  An address is
  // derived from namespace and name, so that it is the same on every start, and moves on past
  // addresses that are taken.
  std::vector<IpPrefix> service_cidrs = {};
  kube::DecodeOptions decode = {};
  std::vector<std::filesystem::path> files = {};  // Unless empty: these are read, and no folder.
  // Unless empty: of Pods, only those of this node are put into the cache, which takes
  // decode.traffic.  Slices are derived from all of them.
  std::string pods_of_node = {};
};

// Control thread only.
class ManifestSource {
 public:
  // `cache` is borrowed and outlives this object.  Nothing is read yet.
  ManifestSource(ManifestOptions options, cache::ServiceCache& cache);
  ~ManifestSource();
  ManifestSource(const ManifestSource&) = delete;
  ManifestSource& operator=(const ManifestSource&) = delete;

  // Reads what is new in the folder, applies what is different to the cache, and calls
  // cache.set_synced() once the folder could be read.  Returns the problems that were not there
  // after the last call, each naming file, line, object and field; the rest of the folder is in
  // force all the same.  A folder that cannot be read is a problem too, and changes nothing.
  //
  // An object without metadata.resourceVersion has the modification time of its file, in Unix
  // seconds. Every load that changes something advances the cache's newest version.
  std::vector<Error> load();

  // All problems of the last load().
  const std::vector<Error>& errors() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace waypost::sources
