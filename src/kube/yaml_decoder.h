// Kubernetes manifests in YAML, JSON included, as typed objects.
//
// A file holds documents, a document holds one object or a List of objects, nested or not.  One
// object that cannot be used is left out and reported with line, object, field, what was found and
// what was expected; the others are decoded all the same.  What is no YAML ends the file.  Fields
// that nobody here uses are not looked at; absent ones get the API server's defaults.
//
// Not here: files and what becomes of bad ones (sources/manifest_source.h).

#pragma once

#include "kube/object_decoders.h"
#include "kube/objects.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::kube {

// After so many problems in one text the rest of it is not read.
inline constexpr std::size_t MaxManifestProblems = 200;

// An object, and the line where it begins.
template <typename T>
struct Decoded {
  T object;
  std::size_t line = 0;
};

struct ManifestProblem {
  // "line 14: Service shop/web: spec.ports[0].port: 'abc' is not a port number 1..65535"
  std::string message;
  // Which object is left out: nothing and an empty name when that could not be found out.
  std::optional<ObjectKind> kind;
  ObjectKey key;
};

struct Manifests {
  std::vector<Decoded<Service>> services;
  std::vector<Decoded<EndpointSlice>> slices;
  std::vector<Decoded<Namespace>> namespaces;
  std::vector<Decoded<Pod>> pods;
  std::vector<Decoded<Node>> nodes;
  std::vector<ManifestProblem> problems;
  std::size_t skipped = 0;  // Objects of other kinds, and EndpointSlices of type FQDN.
  bool is_complete = true;  // False: the text could not be read to its end; a problem says why.
};

// Decodes one file's text.  Objects stand in the order of the text.  resource_version is
// metadata.resourceVersion, 0 without it.  Time and memory are linear in the size of `text`.
Manifests decode_manifests(std::string_view text, const DecodeOptions& options = {});

}  // namespace waypost::kube
