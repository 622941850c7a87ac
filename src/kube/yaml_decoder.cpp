#include "kube/yaml_decoder.h"

#include "kube/field_reader.h"
#include "kube/object_decoders.h"
#include "kube/yaml_tree.h"

#include <algorithm>
#include <array>
#include <utility>

namespace waypost::kube {
namespace {

// What is known of a kind before its first field is read.
struct KindRule {
  std::string_view name;
  std::string_view list_name;
  std::string_view group;  // With its '/'; empty for the core group.
  ObjectKind kind;
};
constexpr std::array<KindRule, 5> KindRules = {{
    {"Service", "ServiceList", "", ObjectKind::Service},
    {"EndpointSlice", "EndpointSliceList", "discovery.k8s.io/", ObjectKind::EndpointSlice},
    {"Namespace", "NamespaceList", "", ObjectKind::Namespace},
    {"Pod", "PodList", "", ObjectKind::Pod},
    {"Node", "NodeList", "", ObjectKind::Node},
}};

// Decodes the objects of one text into `result`.
class ManifestDecoder {
 public:
  ManifestDecoder(Manifests& result, const DecodeOptions& options)
      : result_(result), options_(options) {}

  // Decodes the object or list at `field`.  `implied` is the kind that a typed list gives its
  // items.
  void decode(const Field& field, const KindRule* implied);

  bool is_full() const noexcept { return result_.problems.size() >= MaxManifestProblems; }

 private:
  void decode_list(FieldReader& reader, const Field& list, const KindRule* implied);
  void decode_object(FieldReader& reader, const Field& object, const KindRule& rule);
  void report(const FieldReader& reader, std::optional<ObjectKind> kind, ObjectKey key);

  Manifests& result_;
  const DecodeOptions options_;
};

// "v1" of the rule's group.  The group alone tells whether an object is one of ours.
std::string api_version(const KindRule& rule) {
  return std::string(rule.group) + "v1";
}

bool has_group(std::string_view found, const KindRule& rule) noexcept {
  return rule.group.empty() ? found.find('/') == std::string_view::npos
                            : found.starts_with(rule.group);
}

void ManifestDecoder::report(const FieldReader& reader, std::optional<ObjectKind> kind,
                             ObjectKey key) {
  if (!reader.problem() || is_full()) {
    return;
  }
  std::string message = "line " + std::to_string(reader.problem()->line) + ": ";
  if (kind) {
    message += to_text(*kind);
    message += key.name.empty() ? ": " : " " + key.to_text() + ": ";
  }
  result_.problems.push_back({message + reader.problem()->message, kind, std::move(key)});
}

void ManifestDecoder::decode_list(FieldReader& reader, const Field& list, const KindRule* implied) {
  const Field items = list.at("items");
  reader.each(items, [&](const Field& item) {
    if (!is_full()) {
      decode(item, implied);
    }
  });
  report(reader, std::nullopt, {});
}

void ManifestDecoder::decode(const Field& field, const KindRule* implied) {
  FieldReader reader;
  if (field.node().type() != TreeType::Mapping) {
    reader.refuse(field, "a Kubernetes object: a mapping with apiVersion and kind");
    report(reader, std::nullopt, {});
    return;
  }
  const Field object = reader.mapping(field);
  const Field kind_field = object.at("kind");
  const Field version_field = object.at("apiVersion");
  const bool is_implied =
      implied != nullptr && !kind_field.is_present() && !version_field.is_present();
  const std::string_view kind = is_implied ? implied->name : reader.text(kind_field);
  const std::string_view version = reader.text(version_field);
  if (kind.empty()) {
    reader.refuse(kind_field, "the object's kind, such as Service");
  } else if (version.empty() && !is_implied) {
    reader.refuse(version_field, "the object's apiVersion, such as v1");
  }
  if (kind.empty() || (version.empty() && !is_implied)) {
    report(reader, std::nullopt, {});
    return;
  }

  if (kind == "List" && version == "v1") {
    decode_list(reader, object, nullptr);
    return;
  }
  const auto rule = std::find_if(KindRules.begin(), KindRules.end(), [&](const KindRule& r) {
    return (r.name == kind || r.list_name == kind) && (is_implied || has_group(version, r));
  });
  if (rule == KindRules.end()) {
    ++result_.skipped;
    return;
  }
  if (!is_implied && version != api_version(*rule)) {
    reader.refuse(version_field, api_version(*rule));
    report(reader, rule->kind, {});
    return;
  }
  if (rule->list_name == kind) {
    decode_list(reader, object, &*rule);
  } else {
    decode_object(reader, object, *rule);
  }
}

void ManifestDecoder::decode_object(FieldReader& reader, const Field& object,
                                    const KindRule& rule) {
  Metadata metadata = decode_metadata(reader, object, rule.kind, options_);
  const ObjectKey key = metadata.key;
  const std::size_t line = object.line();
  switch (rule.kind) {
    case ObjectKind::Service: {
      Service service = decode_service(reader, object, std::move(metadata), options_);
      if (!reader.problem()) {
        result_.services.push_back({std::move(service), line});
      }
      break;
    }
    case ObjectKind::EndpointSlice: {
      auto slice = decode_slice(reader, object, std::move(metadata), options_);
      if (!reader.problem() && slice) {
        result_.slices.push_back({std::move(*slice), line});
      } else if (!reader.problem()) {
        ++result_.skipped;
      }
      break;
    }
    case ObjectKind::Namespace: {
      Namespace name_space = decode_namespace(std::move(metadata));
      if (!reader.problem()) {
        result_.namespaces.push_back({std::move(name_space), line});
      }
      break;
    }
    case ObjectKind::Pod: {
      Pod pod = decode_pod(reader, object, std::move(metadata), options_);
      if (!reader.problem()) {
        result_.pods.push_back({std::move(pod), line});
      }
      break;
    }
    case ObjectKind::Node: {
      Node node = decode_node(reader, object, std::move(metadata));
      if (!reader.problem()) {
        result_.nodes.push_back({std::move(node), line});
      }
      break;
    }
  }
  report(reader, rule.kind, key);
}

}  // namespace

Manifests decode_manifests(std::string_view text, const DecodeOptions& options) {
  Manifests result;
  ManifestDecoder decoder(result, options);
  YamlStream stream(text);
  Tree tree;
  for (;;) {
    const auto more = stream.next(tree);
    if (!more) {
      result.problems.push_back({more.error().message, std::nullopt, {}});
      result.is_complete = false;
      return result;
    }
    if (!*more) {
      return result;
    }
    if (tree.root().is_present()) {
      decoder.decode(Field(tree.root()), nullptr);
    }
    if (decoder.is_full()) {
      result.problems.push_back(
          {"more than " + std::to_string(MaxManifestProblems) + " problems; the rest is not read",
           std::nullopt,
           {}});
      result.is_complete = false;
      return result;
    }
  }
}

}  // namespace waypost::kube
