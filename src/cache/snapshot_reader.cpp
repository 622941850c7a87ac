#include "cache/snapshot.h"
#include "cache/snapshot_format.h"
#include "cache/snapshot_objects.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace waypost::cache {
namespace {

namespace format = snapshot_format;

constexpr std::size_t BufferSize = std::size_t{64} << 10;
// The most octets of a record's length: its bound has 22 bits.
constexpr std::size_t MaxLengthSize = 4;

std::unexpected<Error> invalid(std::string message) {
  return failure(ErrorKind::InvalidInput, std::move(message));
}

std::string at_octet(std::uint64_t offset) {
  return "the record at octet " + std::to_string(offset);
}

// Fills `to` from `offset`.
Result<void> read_at(int fd, std::uint64_t offset, MutableBytes to) {
  while (!to.empty()) {
    const ssize_t size = ::pread(fd, to.data(), to.size(), static_cast<off_t>(offset));
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size < 0) {
      return system_failure("cannot be read");
    }
    if (size == 0) {
      return invalid("it became shorter while it was read");
    }
    to = to.subspan(static_cast<std::size_t>(size));
    offset += static_cast<std::uint64_t>(size);
  }
  return {};
}

struct Record {
  std::uint64_t offset = 0;
  std::uint8_t kind = 0;
  Bytes group;  // Borrowed until the next record is read.
};

// Goes through the octets of a file from `begin` to `end` in pieces.
class RecordStream {
 public:
  RecordStream(int fd, std::uint64_t begin, std::uint64_t end)
      : fd_(fd), fetched_(begin), end_(end), buffer_(BufferSize) {}

  // The next record; nothing at the end of the file.
  Result<std::optional<Record>> next() {
    const std::uint64_t offset = fetched_ - held();
    if (offset == end_) {
      return std::nullopt;
    }
    if (const auto done = hold(1 + MaxLengthSize); !done) {
      return std::unexpected(done.error());
    }
    const std::size_t most = std::min(held(), 1 + MaxLengthSize);
    GroupReader head(available().first(most));
    const std::uint8_t kind = head.octet();
    const std::uint64_t size = head.number();
    if (head.has_problem() || size > MaxSnapshotRecordSize || size > end_ - offset) {
      return invalid(at_octet(offset) + " has no valid length");
    }
    const std::size_t head_size = most - head.left();
    if (const auto done = hold(head_size + static_cast<std::size_t>(size)); !done) {
      return std::unexpected(done.error());
    }
    if (held() < head_size + size) {
      return invalid(at_octet(offset) + " is longer than the file");
    }
    const Bytes group = available().subspan(head_size, static_cast<std::size_t>(size));
    start_ += head_size + group.size();
    return Record{offset, kind, group};
  }

 private:
  std::size_t held() const noexcept { return stop_ - start_; }
  Bytes available() const noexcept { return Bytes(buffer_).subspan(start_, held()); }

  // Has `size` octets at hand, or as many as are left.
  Result<void> hold(std::size_t size) {
    if (held() >= size || fetched_ == end_) {
      return {};
    }
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(start_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(stop_), buffer_.begin());
    stop_ -= std::exchange(start_, 0);
    if (buffer_.size() < size) {
      buffer_.resize(size);
    }
    const std::size_t room = buffer_.size() - stop_;
    const auto more = static_cast<std::size_t>(std::min<std::uint64_t>(room, end_ - fetched_));
    const auto done = read_at(fd_, fetched_, MutableBytes(buffer_).subspan(stop_, more));
    stop_ += more;
    fetched_ += more;
    return done;
  }

  int fd_;
  std::uint64_t fetched_;  // Up to here the file is in the buffer.
  std::uint64_t end_;
  std::vector<std::uint8_t> buffer_;
  std::size_t start_ = 0;  // Of what is held, in the buffer.
  std::size_t stop_ = 0;
};

// Returns the file's size, if its prelude is ours and its octets are those that were written.
Result<std::uint64_t> check_whole(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) {
    return system_failure("cannot be examined");
  }
  if (!S_ISREG(status.st_mode)) {
    return invalid("not a regular file");
  }
  const auto file_size = static_cast<std::uint64_t>(status.st_size);
  SnapshotPrelude prelude{};
  if (file_size < prelude.size()) {
    return invalid("not a snapshot: it has only " + std::to_string(file_size) + " octets");
  }
  if (const auto done = read_at(fd, 0, prelude); !done) {
    return std::unexpected(done.error());
  }
  if (!std::equal(format::Magic.begin(), format::Magic.end(), as_text(prelude).begin())) {
    return invalid("not a snapshot: it begins with other octets");
  }
  const std::uint32_t major = load_u32(&prelude[format::MajorOffset]);
  if (major != format::MajorVersion) {
    return failure(ErrorKind::Unsupported, "a snapshot of version " + std::to_string(major) +
                                               ", expected version " +
                                               std::to_string(format::MajorVersion));
  }
  const std::uint64_t size = format::load_u64(&prelude[format::SizeOffset]);
  if (size != file_size) {
    return invalid("damaged: it has " + std::to_string(file_size) + " octets, expected " +
                   std::to_string(size));
  }
  if (size > MaxSnapshotSize) {
    return failure(ErrorKind::Exhausted,
                   "larger than " + std::to_string(MaxSnapshotSize >> 20U) + " MiB");
  }

  Checksum body;
  std::vector<std::uint8_t> buffer(BufferSize);
  for (std::uint64_t at = prelude.size(); at < size;) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(BufferSize, size - at));
    if (const auto done = read_at(fd, at, MutableBytes(buffer).first(piece)); !done) {
      return std::unexpected(done.error());
    }
    body.add(Bytes(buffer).first(piece));
    at += piece;
  }
  if (format::checksum(prelude, body.value()) !=
      format::load_u64(&prelude[format::ChecksumOffset])) {
    return invalid("damaged: its checksum does not match");
  }
  return size;
}

// Reads a record's group as an object; `describe` names the object in messages.
template <typename Object, typename Describe>
Result<Object> read_object(const Record& record, const char* kind, Describe describe) {
  Object object;
  GroupReader from(record.group);
  read(from, object);
  if (from.has_problem()) {
    return invalid(at_octet(record.offset) + ", " + kind + " " + describe(object) + ": " +
                   std::string(from.problem()));
  }
  return object;
}

Result<SnapshotOrigin> read_origin(const Record& record, std::string_view identity,
                                   const Kept& needed) {
  if (record.kind != format::OriginKind) {
    return invalid("its first record does not say where it is from");
  }
  GroupReader from(record.group);
  SnapshotOrigin origin;
  origin.identity = from.text();
  origin.created_ms = from.number();
  origin.newest_resource_version = from.number();
  const Kept kept = format::kept(from.octet());
  if (from.has_problem()) {
    return invalid(at_octet(record.offset) + ": " + std::string(from.problem()));
  }
  if (origin.identity != identity) {
    return invalid("of another cluster: '" + origin.identity + "', expected '" +
                   std::string(identity) + "'");
  }
  if (!kept.covers(needed)) {
    return invalid("saved without labels, selectors or Pod names, which are needed now");
  }
  return origin;
}

// Calls `take` with every object after the first record; kinds of younger versions are skipped.
template <typename Take>
Result<void> read_objects(RecordStream& records, Take take) {
  const auto key = [](const auto& object) { return "'" + object.key.to_text() + "'"; };
  const auto name = [](const auto& object) { return "'" + object.name + "'"; };
  for (;;) {
    const auto record = records.next();
    if (!record) {
      return std::unexpected(record.error());
    }
    if (!*record) {
      return {};
    }
    const auto give = [&](auto object) -> Result<void> {
      if (!object) {
        return std::unexpected(object.error());
      }
      take(std::move(*object));
      return {};
    };
    Result<void> done;
    switch ((*record)->kind) {
      case format::NamespaceKind:
        done = give(read_object<kube::Namespace>(**record, "Namespace", name));
        break;
      case format::ServiceKind:
        done = give(read_object<kube::Service>(**record, "Service", key));
        break;
      case format::EndpointSliceKind:
        done = give(read_object<kube::EndpointSlice>(**record, "EndpointSlice", key));
        break;
      case format::PodKind:
        done = give(read_object<kube::Pod>(**record, "Pod", key));
        break;
      case format::NodeKind:
        done = give(read_object<kube::Node>(**record, "Node", name));
        break;
      default:
        break;
    }
    if (!done) {
      return done;
    }
  }
}

// One walk over the whole file.
template <typename Take>
Result<SnapshotOrigin> walk(int fd, std::uint64_t size, std::string_view identity,
                            const Kept& needed, Take take) {
  RecordStream records(fd, SnapshotPreludeSize, size);
  const auto first = records.next();
  if (!first) {
    return std::unexpected(first.error());
  }
  auto origin = read_origin(first->value_or(Record{}), identity, needed);
  if (origin) {
    if (const auto done = read_objects(records, take); !done) {
      return std::unexpected(done.error());
    }
  }
  return origin;
}

}  // namespace

Result<LoadedSnapshot> load_snapshot(int fd, std::string_view identity, ServiceCache& cache) {
  const Result<std::uint64_t> size = check_whole(fd);
  if (!size) {
    return std::unexpected(size.error());
  }
  // Once to see that every record can be used, once to use them.
  const auto ignore = [](const auto&) {};
  if (const auto checked = walk(fd, *size, identity, cache.kept(), ignore); !checked) {
    return std::unexpected(checked.error());
  }
  LoadedSnapshot loaded{.bytes = *size};
  const ServiceCache::Counts before = cache.counts();
  auto origin =
      walk(fd, *size, identity, cache.kept(), [&](auto object) { cache.put(std::move(object)); });
  if (!origin) {
    return std::unexpected(origin.error());
  }
  cache.advance_resource_version(origin->newest_resource_version);
  const ServiceCache::Counts& after = cache.counts();
  loaded.origin = std::move(*origin);
  loaded.counts = {.services = after.services - before.services,
                   .slices = after.slices - before.slices,
                   .endpoints = after.endpoints - before.endpoints,
                   .namespaces = after.namespaces - before.namespaces,
                   .pods = after.pods - before.pods,
                   .nodes = after.nodes - before.nodes};
  return loaded;
}

Result<LoadedSnapshot> load_snapshot(const std::filesystem::path& path, std::string_view identity,
                                     ServiceCache& cache) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return system_failure(path.string());
  }
  auto loaded = load_snapshot(fd, identity, cache);
  ::close(fd);
  if (!loaded) {
    return std::unexpected(with_context(std::move(loaded.error()), path.string()));
  }
  return loaded;
}

}  // namespace waypost::cache
