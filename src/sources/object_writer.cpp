#include "sources/object_writer.h"

#include <utility>

namespace waypost::sources {

using kube::ObjectKey;
using kube::ObjectKind;

ObjectWriter::ObjectWriter(ObjectKind kind, const kube::DecodeOptions& options,
                           cache::ServiceCache& cache, KindStatus& status, SourceEvents& events)
    : kind_(kind), cache_(cache), status_(status), events_(events), decoder_(kind, options) {}

std::uint64_t ObjectWriter::put(std::string_view json) {
  auto decoded = decoder_.decode(json);
  if (!decoded) {
    ++status_.decode_errors;
    set_aside(decoded.error().version.key, std::move(decoded.error().message));
    show_counts();
    return decoded.error().version.resource_version;
  }
  const std::uint64_t version = std::visit(
      [this]<typename T>(T& object) -> std::uint64_t {
        if constexpr (std::is_same_v<T, kube::SkippedObject>) {
          cache_.erase(kind_, object.version.key);
          set_aside(object.version.key, {});
          return object.version.resource_version;
        } else {
          const std::uint64_t newest = object.resource_version;
          if (!set_aside_.empty()) {
            forget(set_aside_.find(key_of(object)));
          }
          cache_.put(std::move(object));
          return newest;
        }
      },
      *decoded);
  show_counts();
  return version;
}

std::uint64_t ObjectWriter::erase(std::string_view json) {
  const auto version = decoder_.decode_version(json);
  if (!version) {
    ++status_.decode_errors;
    events_.on_bad_object(version.error().message);
    return version.error().version.resource_version;
  }
  forget(set_aside_.find(version->key));
  cache_.advance_resource_version(version->resource_version);
  cache_.erase(kind_, version->key);
  show_counts();
  return version->resource_version;
}

void ObjectWriter::begin_list() {
  ++list_;
  cache_.begin_relist(kind_);
}

void ObjectWriter::end_list(std::uint64_t resource_version) {
  for (auto at = set_aside_.begin(); at != set_aside_.end();) {
    const auto here = at++;
    if (here->second.list != list_) {
      forget(here);
    }
  }
  cache_.end_relist(kind_, resource_version);
  show_counts();
}

void ObjectWriter::abandon_list() {
  cache_.abandon_relist(kind_);
}

// An object without `problem` is fine and nobody's.
void ObjectWriter::set_aside(const ObjectKey& key, std::string problem) {
  const bool is_cached = cache_.keep_in_relist(kind_, key);
  const auto known = set_aside_.find(key);
  if (!problem.empty() && (known == set_aside_.end() || known->second.problem != problem)) {
    events_.on_bad_object(problem);
  }
  forget(known);
  count_set_aside(
      set_aside_.emplace(key, SetAside{std::move(problem), list_, is_cached}).first->second, 1);
}

void ObjectWriter::forget(SetAsides::iterator known) {
  if (known != set_aside_.end()) {
    count_set_aside(known->second, -1);
    set_aside_.erase(known);
  }
}

void ObjectWriter::count_set_aside(const SetAside& entry, int change) noexcept {
  const auto step = static_cast<std::size_t>(change);  // Modulo 2^n: 1 less for -1.
  uncached_ += entry.is_cached ? 0 : step;
  bad_ += entry.problem.empty() ? 0 : step;
}

std::size_t ObjectWriter::count() const noexcept {
  return cached_count() + uncached_;
}

std::size_t ObjectWriter::cached_count() const noexcept {
  const cache::ServiceCache::Counts& counts = cache_.counts();
  switch (kind_) {
    case ObjectKind::Service:
      return counts.services;
    case ObjectKind::EndpointSlice:
      return counts.slices;
    case ObjectKind::Namespace:
      return counts.namespaces;
    case ObjectKind::Pod:
      return counts.pods;
    case ObjectKind::Node:
      return counts.nodes;
  }
  return 0;
}

void ObjectWriter::show_counts() noexcept {
  status_.objects = count();
  status_.quarantined = bad_;
}

}  // namespace waypost::sources
