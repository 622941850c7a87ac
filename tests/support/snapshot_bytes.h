// Snapshots as octets in memory: written without a disk, damaged at will, loaded again.

#pragma once

#include "cache/snapshot.h"
#include "cache/snapshot_format.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace waypost::cache::test {

inline constexpr std::string_view Identity = "https://api.example.org:6443 cluster.local";

inline SnapshotOrigin origin() {
  return {.identity = std::string(Identity),
          .created_ms = 1767225600000,
          .newest_resource_version = 4711};
}

// A whole file of these octets behind the prelude.
inline std::string file_of(std::string_view body) {
  namespace format = snapshot_format;
  SnapshotPrelude prelude{};
  std::copy(format::Magic.begin(), format::Magic.end(), prelude.begin());
  store_u32(&prelude[format::MajorOffset], format::MajorVersion);
  format::store_u64(&prelude[format::SizeOffset], prelude.size() + body.size());
  Checksum checksum;
  checksum.add(as_bytes(body));
  format::store_u64(&prelude[format::ChecksumOffset], format::checksum(prelude, checksum.value()));
  return std::string(as_text(prelude)) + std::string(body);
}

inline std::string save(const ServiceCache& cache) {
  SnapshotWriter writer(cache, origin());
  std::string body;
  while (writer.step(body)) {
  }
  return std::string(as_text(writer.prelude())) + body;
}

inline Result<LoadedSnapshot> load(std::string_view file, ServiceCache& cache,
                                   std::string_view identity = Identity) {
  const int fd = ::memfd_create("snapshot", MFD_CLOEXEC);
  Result<LoadedSnapshot> loaded = failure(ErrorKind::System, "no memory file");
  if (::write(fd, file.data(), file.size()) == static_cast<ssize_t>(file.size())) {
    loaded = load_snapshot(fd, identity, cache);
  }
  ::close(fd);
  return loaded;
}

}  // namespace waypost::cache::test
