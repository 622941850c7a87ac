// API objects in JSON, one at a time, as typed objects.
//
// What the API server sends is decoded by the same rules as a manifest (kube/object_decoders.h):
// unknown fields are passed over, absent and null ones get the API's defaults, and a field that
// cannot be used makes the object a problem that names it.  One decoder reads one kind, and uses
// its buffers again.
//
// Not here: what frames objects in a response (kube/list_reader.h, kube/watch_reader.h), what is
// known of an object that cannot be used (sources/).

#pragma once

#include "kube/json_tree.h"
#include "kube/object_decoders.h"
#include "kube/objects.h"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>

namespace waypost::kube {

// An object that is valid and nobody's: an EndpointSlice of addressType FQDN.  Whoever knew an
// object of this key forgets it.
struct SkippedObject {
  ObjectVersion version;

  friend bool operator==(const SkippedObject&, const SkippedObject&) = default;
};

using ApiObject = std::variant<Service, EndpointSlice, Namespace, Pod, Node, SkippedObject>;

// Why an object cannot be used.
struct ObjectProblem {
  // As far as it could be read: names are empty and the version 0 where it could not.
  ObjectVersion version;
  // "Service shop/web: spec.ports[0].port: 'abc' is not a port number 1..65535 (resourceVersion
  // 372)"
  std::string message;
};

// What a bookmark tells: everything up to a version has been sent.
struct Bookmark {
  std::uint64_t resource_version = 0;
  // It ends the initial events of a streaming list (annotation k8s.io/initial-events-end).
  bool ends_initial_events = false;

  friend bool operator==(const Bookmark&, const Bookmark&) = default;
};

// One decoder is for one thread at a time.  Texts are borrowed for the time of a call.  Memory is
// that of a JsonTreeReader, for objects up to 256 KiB; what a larger one took is given back.
class JsonDecoder {
 public:
  explicit JsonDecoder(ObjectKind kind, DecodeOptions options = {})
      : kind_(kind), options_(options) {}

  ObjectKind kind() const noexcept { return kind_; }

  // The object `json`, of which `kind` may be missing, as in lists, but not be another one.
  std::expected<ApiObject, ObjectProblem> decode(std::string_view json);

  // Only which object `json` is: for deletions and for PartialObjectMetadata.  Nothing else of it
  // is looked at.  Cheaper than decode().
  std::expected<ObjectVersion, ObjectProblem> decode_version(std::string_view json);

  // The object of a BOOKMARK event, which has no name.  One without a resourceVersion is a problem.
  std::expected<Bookmark, ObjectProblem> decode_bookmark(std::string_view json);

 private:
  template <typename T, typename Decode>
  std::expected<T, ObjectProblem> decode_with(std::string_view json, JsonScope scope,
                                              Decode decode);
  ApiObject decode_object(FieldReader& reader, const Field& object, Metadata metadata);

  ObjectKind kind_;
  DecodeOptions options_;
  JsonTreeReader reader_;
  Tree tree_;
};

}  // namespace waypost::kube
