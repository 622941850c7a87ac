#include "cache/snapshot.h"
#include "cache/snapshot_format.h"
#include "cache/snapshot_objects.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace waypost::cache {
namespace {

namespace format = snapshot_format;

// What ends a step: this many octets, or this many keys, for keys of objects that are gone make no
// octets.
constexpr std::size_t StepOctets = std::size_t{32} << 10;
constexpr int StepKeys = 256;

// In octets, to make room for all keys at once.
constexpr std::size_t UsualKeySize = 40;

}  // namespace

SnapshotWriter::SnapshotWriter(const ServiceCache& cache, SnapshotOrigin origin)
    : cache_(cache), origin_(std::move(origin)) {}

bool SnapshotWriter::step(std::string& out) {
  octets_.clear();
  if (stage_ == Stage::Origin) {
    octets_.push_back(static_cast<char>(format::OriginKind));
    GroupWriter to(octets_);
    to.group([&] {
      to.text(origin_.identity);
      to.number(origin_.created_ms);
      to.number(origin_.newest_resource_version);
      to.octet(format::lacking(cache_.kept()));
    });
    begin(Stage::Namespaces);
  } else {
    int keys = 0;
    while (keys < StepKeys && octets_.size() < StepOctets) {
      ++keys;
      if (!write_next()) {
        begin(static_cast<Stage>(static_cast<int>(stage_) + 1));
        break;
      }
    }
  }
  checksum_.add(as_bytes(octets_));
  size_ += octets_.size();
  out += octets_;
  return stage_ != Stage::Done;
}

void SnapshotWriter::begin(Stage stage) {
  stage_ = stage;
  keys_.clear();
  next_key_ = 0;
  const ServiceCache::Counts& counts = cache_.counts();
  const auto note_key = [this](std::string_view name_space, std::string_view name) {
    note(name_space, name);
  };
  if (stage == Stage::Namespaces) {
    keys_.reserve(counts.namespaces * UsualKeySize);
    cache_.for_each_namespace([&](const kube::Namespace& each) { note({}, each.name); });
  } else if (stage == Stage::Services) {
    keys_.reserve(counts.services * UsualKeySize);
    cache_.for_each_service_key(note_key);
  } else if (stage == Stage::Pods) {
    keys_.reserve(counts.pods * UsualKeySize);
    cache_.for_each_pod_key(note_key);
  } else if (stage == Stage::Nodes) {
    cache_.for_each_node([&](const kube::Node& each) { note({}, each.name); });
  } else {
    keys_.shrink_to_fit();
  }
}

void SnapshotWriter::note(std::string_view name_space, std::string_view name) {
  keys_ += name_space;
  keys_ += '\0';
  keys_ += name;
  keys_ += '\0';
}

bool SnapshotWriter::write_next() {
  if (next_key_ == keys_.size()) {
    return false;
  }
  const std::size_t name = keys_.find('\0', next_key_) + 1;
  const std::size_t end = keys_.find('\0', name) + 1;
  key_.name_space.assign(keys_, next_key_, name - 1 - next_key_);
  key_.name.assign(keys_, name, end - 1 - name);

  bool is_whole = true;
  if (stage_ == Stage::Namespaces) {
    if (const kube::Namespace* found = cache_.find_namespace(key_.name)) {
      write_record(format::NamespaceKind, *found);
    }
  } else if (stage_ == Stage::Services) {
    is_whole = write_service(key_);
  } else if (stage_ == Stage::Pods) {
    if (const std::optional<kube::Pod> found = cache_.find_pod(key_)) {
      write_record(format::PodKind, *found);
    }
  } else if (const kube::Node* found = cache_.find_node(key_.name)) {
    write_record(format::NodeKind, *found);
  }
  if (is_whole) {
    next_key_ = end;
  }
  return true;
}

// Returns false when the step is full before the last slice.  Slices are in the order of their
// names, so that those which come and go meanwhile do not move the others.
bool SnapshotWriter::write_service(const kube::ObjectKey& key) {
  const std::optional<ServiceState> state = cache_.find(key);
  if (!service_is_begun_) {
    last_slice_.clear();
    if (state && state->service) {
      write_record(format::ServiceKind, *state->service);
    }
  }
  if (state) {
    const auto comes_before = [](const std::string& name, const SlicePointer& slice) {
      return name < slice->key.name;
    };
    auto slice =
        std::upper_bound(state->slices.begin(), state->slices.end(), last_slice_, comes_before);
    for (; slice != state->slices.end(); ++slice) {
      if (octets_.size() >= StepOctets) {
        service_is_begun_ = true;
        return false;
      }
      const kube::EndpointSlice& object = **slice;
      write_record(format::EndpointSliceKind, object);
      last_slice_ = object.key.name;
    }
  }
  service_is_begun_ = false;
  return true;
}

template <typename Object>
void SnapshotWriter::write_record(std::uint8_t kind, const Object& object) {
  const std::size_t start = octets_.size();
  octets_.push_back(static_cast<char>(kind));
  GroupWriter to(octets_);
  to.group([&] { write(to, object); });
  if (octets_.size() - start > MaxSnapshotRecordSize) {
    octets_.resize(start);
    ++left_out_;
  }
}

SnapshotPrelude SnapshotWriter::prelude() const {
  SnapshotPrelude prelude{};
  std::copy(format::Magic.begin(), format::Magic.end(), prelude.begin());
  store_u32(&prelude[format::MajorOffset], format::MajorVersion);
  store_u32(&prelude[format::MinorOffset], format::MinorVersion);
  format::store_u64(&prelude[format::SizeOffset], size_);
  format::store_u64(&prelude[format::ChecksumOffset], format::checksum(prelude, checksum_.value()));
  return prelude;
}

}  // namespace waypost::cache
