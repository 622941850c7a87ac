// The world in a file: saved piece by piece while it goes on changing, loaded into a fresh cache.
//
// docs/snapshot-format.md describes the file.  A file that is damaged, cut off, of another cluster
// or of a newer major version is refused before anything of it is used.
//
// Not here: putting the file in its place (base/file_replacement.h), when to save
// (cache/snapshot_schedule.h), doing both in a running program (ops/snapshot_keeper.h).

#pragma once

#include "base/checksum.h"
#include "base/error.h"
#include "cache/service_cache.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace waypost::cache {

// What a file says about itself.
struct SnapshotOrigin {
  std::string identity;          // Of the cluster, in the caller's words.
  std::uint64_t created_ms = 0;  // When writing began, in milliseconds since 1970 (UTC).
  // What the source had seen when writing began.  Objects in the file are of that moment or
  // younger, so that a source that goes on from here misses nothing.
  std::uint64_t newest_resource_version = 0;

  friend bool operator==(const SnapshotOrigin&, const SnapshotOrigin&) = default;
};

// The prelude at the start of a file, in octets; it is known last.
inline constexpr std::size_t SnapshotPreludeSize = 32;
using SnapshotPrelude = std::array<std::uint8_t, SnapshotPreludeSize>;

// Bounds of what is read, far above the file of any cluster, and above any object of the API, which
// has 1.5 MiB at most.
inline constexpr std::uint64_t MaxSnapshotSize = std::uint64_t{1} << 30;
inline constexpr std::size_t MaxSnapshotRecordSize = std::size_t{2} << 20;

// Makes the octets of a file in steps of bounded work, for the thread that changes the cache.
// Between steps the cache may change: each object is written at most once, whole, as it is when its
// turn comes; one that is gone by then is left out, one that came after its kind was begun waits
// for the next file.  A slice that moves to another Service may be written twice; loading takes it
// as it came last.  Slices that name no Service are left out: nobody can see them.
class SnapshotWriter {
 public:
  // `cache` is borrowed and outlives this object.
  SnapshotWriter(const ServiceCache& cache, SnapshotOrigin origin);

  // Appends the next octets of the file, those after the prelude, to `out`: about 32 KiB, more only
  // if a single object is larger.  Returns whether there is more to do.  A step that begins a kind
  // of objects notes their keys, which takes about 0.1 µs for each; any other takes about 0.1 ms.
  bool step(std::string& out);

  // The file's first octets.  REQUIRES: step() has returned false.
  SnapshotPrelude prelude() const;

  // The file's whole size so far, prelude included, in octets.
  std::uint64_t size() const noexcept { return size_; }
  // Objects that are larger than MaxSnapshotRecordSize and therefore not in the file.
  std::size_t left_out() const noexcept { return left_out_; }

 private:
  enum class Stage : std::uint8_t { Origin, Namespaces, Services, Pods, Nodes, Done };

  void begin(Stage stage);
  void note(std::string_view name_space, std::string_view name);
  // Writes the next object, or a part of a Service; false when the stage has no more.
  bool write_next();
  bool write_service(const kube::ObjectKey& key);
  template <typename Object>
  void write_record(std::uint8_t kind, const Object& object);

  const ServiceCache& cache_;
  const SnapshotOrigin origin_;
  Stage stage_ = Stage::Origin;
  // The keys of the stage, "namespace\0name\0" each, about 30 octets: no position in a cache
  // survives its changes.
  std::string keys_;
  std::size_t next_key_ = 0;
  std::string last_slice_;         // Of a Service that is under way: written up to this one.
  bool service_is_begun_ = false;  // Its own record is written, its slices are not all.
  kube::ObjectKey key_;            // Of the object at hand; kept for its memory.
  std::string octets_;             // Of the step at hand.
  Checksum checksum_;
  std::uint64_t size_ = SnapshotPreludeSize;
  std::size_t left_out_ = 0;
};

struct LoadedSnapshot {
  SnapshotOrigin origin;
  ServiceCache::Counts counts;  // What was put.
  std::uint64_t bytes = 0;      // The file's size.
};

// Puts everything in the file at `path` into `cache` and advances its resourceVersion, if the file
// is whole, its identity is `identity`, and the cache that it was saved from kept what this one
// keeps.  What the cache says about being synced stays.  Reads
// the file in pieces: needs about 64 KiB, and as much as the largest object.
//
// Fails with NotFound when there is no file, with Unsupported for a newer major version, with
// InvalidInput for anything else in the file that cannot be used, with Exhausted above a bound; the
// message names the file.  The cache is then as before, except when the file was changed in place
// while it was read, which this project never does.
Result<LoadedSnapshot> load_snapshot(const std::filesystem::path& path, std::string_view identity,
                                     ServiceCache& cache);

// The same from an open file, whose reading position does not matter.
Result<LoadedSnapshot> load_snapshot(int fd, std::string_view identity, ServiceCache& cache);

}  // namespace waypost::cache
