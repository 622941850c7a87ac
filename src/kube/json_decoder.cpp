#include "kube/json_decoder.h"

#include "kube/field_reader.h"

#include <utility>

namespace waypost::kube {
namespace {

// Buffers that larger objects needed are not kept.
constexpr std::size_t MaxKeptSize = std::size_t{256} << 10;
constexpr std::string_view InitialEventsEnd = "k8s.io/initial-events-end";

ObjectProblem make_problem(ObjectKind kind, ObjectVersion version, std::string_view message) {
  std::string text(to_text(kind));
  if (!version.key.name.empty()) {
    text.append(" ").append(version.key.to_text());
  }
  text.append(": ").append(message);
  if (version.resource_version != 0) {
    text.append(" (resourceVersion ").append(std::to_string(version.resource_version)).append(")");
  }
  return {std::move(version), std::move(text)};
}

}  // namespace

// Reads `json` into the tree and calls `decode(reader, object, version)`, which returns what it
// found and sets `version` as soon as it is known.
template <typename T, typename Decode>
std::expected<T, ObjectProblem> JsonDecoder::decode_with(std::string_view json, JsonScope scope,
                                                         Decode decode) {
  ObjectVersion version;
  const auto read = reader_.read(json, scope, tree_);
  if (!read) {
    return std::unexpected(make_problem(kind_, std::move(version), read.error().message));
  }
  FieldReader reader;
  const Field root(tree_.root());
  if (root.node().type() != TreeType::Mapping) {
    reader.refuse(root, "an object");
    return std::unexpected(make_problem(kind_, std::move(version), reader.problem()->message));
  }
  const Field object = reader.mapping(root);
  T result = decode(reader, object, version);
  if (json.size() > MaxKeptSize) {
    reader_ = JsonTreeReader();
    tree_ = Tree();
  }
  if (reader.problem()) {
    return std::unexpected(make_problem(kind_, std::move(version), reader.problem()->message));
  }
  return result;
}

ApiObject JsonDecoder::decode_object(FieldReader& reader, const Field& object, Metadata metadata) {
  switch (kind_) {
    case ObjectKind::Service:
      return decode_service(reader, object, std::move(metadata), options_);
    case ObjectKind::EndpointSlice: {
      ObjectVersion version{metadata.key, metadata.resource_version};
      auto slice = decode_slice(reader, object, std::move(metadata), options_);
      return slice ? ApiObject(std::move(*slice)) : SkippedObject{std::move(version)};
    }
    case ObjectKind::Namespace:
      return decode_namespace(std::move(metadata));
    case ObjectKind::Pod:
      return decode_pod(reader, object, std::move(metadata), options_);
    case ObjectKind::Node:
      return decode_node(reader, object, std::move(metadata));
  }
  return SkippedObject{};
}

std::expected<ApiObject, ObjectProblem> JsonDecoder::decode(std::string_view json) {
  return decode_with<ApiObject>(
      json, JsonScope::Object,
      [this](FieldReader& reader, const Field& object, ObjectVersion& version) {
        const Field kind = object.at("kind");
        const std::string_view kind_text = reader.text(kind);
        if (!kind_text.empty() && kind_text != to_text(kind_)) {
          reader.refuse(kind, to_text(kind_));
        }
        Metadata metadata = decode_metadata(reader, object, kind_, options_);
        version = {metadata.key, metadata.resource_version};
        return decode_object(reader, object, std::move(metadata));
      });
}

std::expected<ObjectVersion, ObjectProblem> JsonDecoder::decode_version(std::string_view json) {
  return decode_with<ObjectVersion>(
      json, JsonScope::Metadata,
      [this](FieldReader& reader, const Field& object, ObjectVersion& version) {
        version = decode_object_version(reader, object, kind_);
        return version;
      });
}

std::expected<Bookmark, ObjectProblem> JsonDecoder::decode_bookmark(std::string_view json) {
  return decode_with<Bookmark>(
      json, JsonScope::Metadata, [](FieldReader& reader, const Field& object, ObjectVersion&) {
        const Field metadata_field = object.at("metadata");
        const Field metadata = reader.mapping(metadata_field);
        Bookmark bookmark;
        bookmark.resource_version = decode_resource_version(reader, metadata);
        if (bookmark.resource_version == 0) {
          reader.refuse(metadata.at("resourceVersion"), "a version above 0");
        }
        const Field annotations_field = metadata.at("annotations");
        const Field annotations = reader.mapping(annotations_field);
        bookmark.ends_initial_events = reader.text(annotations.at(InitialEventsEnd)) == "true";
        return bookmark;
      });
}

}  // namespace waypost::kube
