// One object of each kind, field by field, with the API's own checks of the fields that are read.

#pragma once

#include "kube/field_reader.h"
#include "kube/objects.h"

#include <cstdint>
#include <optional>
#include <string>

namespace waypost::kube {

// What every kind has in `metadata`.  `key` is as far as it could be read, also after a problem.
struct Metadata {
  ObjectKey key;
  std::uint64_t resource_version = 0;
  Labels labels;
  std::string service_name;  // Label kubernetes.io/service-name; of EndpointSlices only.
  bool is_deleted = false;   // deletionTimestamp is set.
  ChangeTimes times;         // Of Services and EndpointSlices only.
};

// What of an object is wanted, beyond the names and addresses that every reader wants.  The rest is
// left empty, so that no memory goes to it.
struct DecodeOptions {
  bool traffic = false;     // Service::traffic, EndpointSlice::traffic, Pod::node_name.
  bool labels = true;       // Of every kind; to which Service a slice belongs is always told.
  bool selectors = true;    // Of Services.
  bool pod_search = false;  // Pod::search
};

// metadata.resourceVersion; 0 without one.
std::uint64_t decode_resource_version(FieldReader& reader, const Field& metadata);

// Reads from `object`'s metadata what it is called, by the rules for `kind`.
ObjectVersion decode_object_version(FieldReader& reader, const Field& object, ObjectKind kind);

// The same and all the rest of it.
Metadata decode_metadata(FieldReader& reader, const Field& object, ObjectKind kind,
                         const DecodeOptions& options = {});

// These return what could be read; it counts only when reader.problem() is empty.  `object` is a
// mapping, `metadata` its own.
Service decode_service(FieldReader& reader, const Field& object, Metadata metadata,
                       const DecodeOptions& options = {});
Pod decode_pod(FieldReader& reader, const Field& object, Metadata metadata,
               const DecodeOptions& options = {});
Namespace decode_namespace(Metadata metadata);
Node decode_node(FieldReader& reader, const Field& object, Metadata metadata);
// Nothing for a slice of addressType FQDN: such addresses are nobody's endpoints.
std::optional<EndpointSlice> decode_slice(FieldReader& reader, const Field& object,
                                          Metadata metadata, const DecodeOptions& options = {});

}  // namespace waypost::kube
