// One object of each kind, field by field, with the API's own checks of the fields that are read.

#pragma once

#include "kube/field_reader.h"
#include "kube/objects.h"

#include <cstdint>
#include <optional>

namespace waypost::kube {

// What every kind has in `metadata`.  `key` is as far as it could be read, also after a problem.
struct Metadata {
  ObjectKey key;
  std::uint64_t resource_version = 0;
  Labels labels;
  bool is_deleted = false;  // deletionTimestamp is set.
};

// `name_check` is the rule for this kind's names; `has_namespace` tells whether it lives in one.
Metadata decode_metadata(FieldReader& reader, const Field& object, bool has_namespace,
                         bool (*name_check)(std::string_view) noexcept, std::string_view name_rule);

// What is decoded beyond the names and addresses that every reader wants.
struct DecodeOptions {
  bool traffic = false;  // Service::traffic, EndpointSlice::traffic, Pod::node_name.
};

// These return what could be read; it counts only when reader.problem() is empty.  `object` is a
// mapping.
Service decode_service(FieldReader& reader, const Field& object, Metadata metadata,
                       const DecodeOptions& options = {});
Pod decode_pod(FieldReader& reader, const Field& object, Metadata metadata,
               const DecodeOptions& options = {});
Namespace decode_namespace(Metadata metadata);
// Nothing for a slice of addressType FQDN: such addresses are nobody's endpoints.
std::optional<EndpointSlice> decode_slice(FieldReader& reader, const Field& object,
                                          Metadata metadata, const DecodeOptions& options = {});

}  // namespace waypost::kube
