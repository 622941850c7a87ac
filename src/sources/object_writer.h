// One kind's objects as the API server tells them, folded into the cache.
//
// Decodes, keeps an object that cannot be used at its last good version and sets it aside with the
// reason, and tells what a complete list no longer has.  Knows nothing of requests.
//
// Not here: lists and watches as such (sources/reflector.h), decoding (kube/json_decoder.h).

#pragma once

#include "cache/service_cache.h"
#include "kube/json_decoder.h"
#include "sources/kind_status.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace waypost::sources {

// Control thread only.
class ObjectWriter {
 public:
  // All are borrowed and outlive this object.  Counts into `status`.
  ObjectWriter(kube::ObjectKind kind, const kube::DecodeOptions& options,
               cache::ServiceCache& cache, KindStatus& status, SourceEvents& events);

  // Takes an object that is there now.  Returns its resourceVersion, 0 when it cannot be read.
  std::uint64_t put(std::string_view json);
  // Takes an object that is gone, as a DELETED event has it.
  std::uint64_t erase(std::string_view json);

  // Between these every put() is marked; end_list() erases what was not, and has the cache's newest
  // version advance to `resource_version` if that was anything.
  void begin_list();
  void end_list(std::uint64_t resource_version);
  // The list broke off: everything stays.
  void abandon_list();

  // What a bookmark says.
  std::expected<kube::Bookmark, kube::ObjectProblem> read_bookmark(std::string_view json) {
    return decoder_.decode_bookmark(json);
  }

  // How many objects the server has, by what it told so far.
  std::size_t count() const noexcept;

 private:
  // An object that is on the server and not, or not in this version, in the cache.
  struct SetAside {
    std::string problem;     // Empty: of a sort that nobody needs (an FQDN slice).
    std::uint32_t list = 0;  // The last list that had it.
    bool is_cached = false;  // An older version is in the cache.
  };

  using SetAsides = std::map<kube::ObjectKey, SetAside>;

  std::size_t cached_count() const noexcept;
  void set_aside(const kube::ObjectKey& key, std::string problem);
  void forget(SetAsides::iterator known);
  void count_set_aside(const SetAside& entry, int change) noexcept;
  void show_counts() noexcept;

  const kube::ObjectKind kind_;
  cache::ServiceCache& cache_;
  KindStatus& status_;
  SourceEvents& events_;
  kube::JsonDecoder decoder_;
  // Bounded by what the server has; each is a defect that somebody was told of.
  SetAsides set_aside_;
  std::size_t uncached_ = 0;  // Of these, those without an older version in the cache,
  std::size_t bad_ = 0;       // and those with a problem.
  std::uint32_t list_ = 0;    // Counts lists, of which one may be under way.
};

}  // namespace waypost::sources
