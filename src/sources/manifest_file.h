// One manifest file and the last good version of each object in it.
//
// A file that cannot be read, or is no YAML, keeps all objects that it had.  An object that cannot
// be decoded keeps its own last good version; so do the objects that a problem without a name may
// be about.
//
// Not here: which file wins when two have the same object (sources/manifest_source.cpp).

#pragma once

#include "base/error.h"
#include "base/file_identity.h"
#include "kube/objects.h"
#include "kube/yaml_decoder.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

namespace waypost::sources {

// An object as a file gives it.  The pointer stays the same as long as the content does.
template <typename T>
struct Claim {
  std::shared_ptr<const T> object;
  std::size_t line = 0;
};

template <typename T>
using Claims = std::map<kube::ObjectKey, Claim<T>>;

// std::get<Claims<kube::Service>>(objects) are the Services.
using ManifestObjects = std::tuple<Claims<kube::Service>, Claims<kube::EndpointSlice>,
                                   Claims<kube::Namespace>, Claims<kube::Pod>, Claims<kube::Node>>;

class ManifestFile {
 public:
  // Nothing is read yet.
  explicit ManifestFile(std::filesystem::path path, const kube::DecodeOptions& options = {})
      : path_(std::move(path)), options_(options) {}

  // Reads the file again unless it is the same as before, by inode, size and times.  Returns the
  // objects it had before when it was read, nothing otherwise.  An object without resourceVersion
  // gets the file's modification time in Unix seconds, as long as its content is new.
  std::optional<ManifestObjects> refresh();

  const std::filesystem::path& path() const noexcept { return path_; }
  const ManifestObjects& objects() const noexcept { return objects_; }
  // Each names the file.
  const std::vector<Error>& problems() const noexcept { return problems_; }

 private:
  void take(kube::Manifests manifests, std::uint64_t version);
  template <typename T>
  void take_kind(std::vector<kube::Decoded<T>> decoded, kube::ObjectKind kind,
                 const std::vector<kube::ManifestProblem>& problems, std::uint64_t version);
  void report(ErrorKind kind, std::string_view message);

  std::filesystem::path path_;
  kube::DecodeOptions options_;
  std::optional<FileIdentity> identity_;  // Nothing: has to be read.
  ManifestObjects objects_;
  std::vector<Error> problems_;
};

}  // namespace waypost::sources
