#include "node/pod_manifest.h"

#include "kube/names.h"
#include "kube/yaml_tree.h"

#include <array>
#include <utility>

namespace waypost::node {
namespace {

using kube::Field;
using kube::FieldReader;
using kube::TreeNode;
using kube::TreeType;

constexpr std::array<std::string_view, 1> OwnSpec = {"spec"};
constexpr std::array<std::string_view, 2> BareTemplate = {"template", "spec"};
constexpr std::array<std::string_view, 3> Template = {"spec", "template", "spec"};
constexpr std::array<std::string_view, 5> JobTemplate = {"spec", "jobTemplate", "spec", "template",
                                                         "spec"};

struct PodKind {
  std::string_view kind;
  std::string_view group;  // With its '/'; empty for the core group.
  std::span<const std::string_view> path;
};
constexpr std::array<PodKind, 9> PodKinds = {{
    {"Pod", "", OwnSpec},
    {"PodTemplate", "", BareTemplate},
    {"ReplicationController", "", Template},
    {"DaemonSet", "apps/", Template},
    {"Deployment", "apps/", Template},
    {"ReplicaSet", "apps/", Template},
    {"StatefulSet", "apps/", Template},
    {"CronJob", "batch/", JobTemplate},
    {"Job", "batch/", Template},
}};

std::vector<std::string> texts(FieldReader& reader, const Field& list,
                               bool (*check)(std::string_view) noexcept, std::string_view rule) {
  std::vector<std::string> found;
  reader.each(list, [&](const Field& element) {
    found.emplace_back(reader.required_text(element, check, rule));
  });
  return found;
}

// The fields on the way to a Pod's spec; each refers to the one before.
struct Way {
  explicit Way(const Field& object) : fields{object} { fields.reserve(8); }
  std::vector<Field> fields;
};

Field walk(FieldReader& reader, Way& way, std::span<const std::string_view> path) {
  for (const std::string_view name : path) {
    way.fields.push_back(reader.mapping(way.fields.back().at(name)));
  }
  return way.fields.back();
}

// What an object is; of an element of a typed list, what the list implies.
struct TypeMeta {
  std::string_view api_version;
  std::string_view kind;
};

TypeMeta type_of(const TreeNode& object, const TypeMeta& implied) noexcept {
  const TypeMeta own{object.find("apiVersion").text(), object.find("kind").text()};
  return own.kind.empty() ? implied : own;
}

// Adds the Pods in `object`, a document or an element of a list.
Result<void> find_pods(const Field& object, const TypeMeta& implied,
                       std::vector<ManifestPod>& found) {
  if (object.node().type() != TreeType::Mapping) {
    return {};
  }
  const TypeMeta type = type_of(object.node(), implied);
  FieldReader reader;
  Result<void> result;
  if (is_list(type.kind)) {
    const Field items = object.at("items");
    // As deep as trees may be (kube/tree.h), no deeper.
    reader.each(items, [&](const Field& item) {
      if (result) {
        result = find_pods(item, {type.api_version, element_kind(type.kind)}, found);
      }
    });
    return result;
  }
  const auto path = pod_spec_path(type.api_version, type.kind);
  if (path.empty()) {
    return {};
  }
  const Field metadata = reader.mapping(object.at("metadata"));
  Way way(object);
  const Field spec = walk(reader, way, path);
  ManifestPod pod;
  pod.dns = decode_pod_dns(reader, metadata, spec);
  const std::string_view name = metadata.node().find("name").text();
  pod.what = std::string(type.kind) + " " +
             (pod.dns.name_space.empty() ? "" : pod.dns.name_space + "/") +
             (name.empty() ? "without a name" : std::string(name));
  if (const auto& problem = reader.problem()) {
    return failure(ErrorKind::InvalidInput, "line " + std::to_string(problem->line) + ": " +
                                                pod.what + ": " + problem->message);
  }
  found.push_back(std::move(pod));
  return {};
}

}  // namespace

std::span<const std::string_view> pod_spec_path(std::string_view api_version,
                                                std::string_view kind) noexcept {
  for (const PodKind& known : PodKinds) {
    const bool has_group = known.group.empty() ? api_version.find('/') == std::string_view::npos
                                               : api_version.starts_with(known.group);
    if (kind == known.kind && has_group) {
      return known.path;
    }
  }
  return {};
}

bool is_list(std::string_view kind) noexcept {
  return kind.ends_with("List");
}

std::string_view element_kind(std::string_view list_kind) noexcept {
  return list_kind.substr(0, list_kind.size() - std::string_view("List").size());
}

PodDns decode_pod_dns(FieldReader& reader, const Field& metadata, const Field& spec) {
  PodDns pod;
  pod.name_space = reader.text(metadata.at("namespace"), kube::is_dns_label, kube::DnsLabelRule);
  const Field policy_field = spec.at("dnsPolicy");
  if (const std::string_view text = reader.text(policy_field); !text.empty()) {
    if (const auto policy = policy_from_text(text)) {
      pod.policy = *policy;
    } else {
      reader.refuse(policy_field, DnsPolicyRule);
    }
  }
  pod.host_network = reader.boolean(spec.at("hostNetwork"), false);

  const Field config_field = reader.mapping(spec.at("dnsConfig"));
  DnsConfig config;
  config.nameservers = texts(reader, config_field.at("nameservers"), is_nameserver, NameserverRule);
  config.searches = texts(reader, config_field.at("searches"), is_search_domain, SearchDomainRule);
  const Field options = config_field.at("options");
  reader.each(options, [&](const Field& element) {
    const Field option = reader.mapping(element);
    const std::string_view name =
        reader.required_text(option.at("name"), is_option_part, OptionPartRule);
    const std::string_view value = reader.text(option.at("value"), is_option_part, OptionPartRule);
    put_option(config.options, std::string(name) + (value.empty() ? "" : ":" + std::string(value)));
  });
  if (const auto reason = why_refused(pod.policy, config)) {
    reader.complain(spec, *reason);
  }
  if (config_field.is_present()) {
    pod.config = std::move(config);
  }
  return pod;
}

Result<ManifestPod> read_pod(std::string_view text) {
  kube::YamlStream stream(text);
  kube::Tree tree;
  std::vector<ManifestPod> found;
  for (;;) {
    const Result<bool> next = stream.next(tree);
    if (!next) {
      return std::unexpected(next.error());
    }
    if (!*next) {
      break;
    }
    if (const Result<void> looked = find_pods(Field(tree.root()), {}, found); !looked) {
      return std::unexpected(looked.error());
    }
  }
  if (found.size() == 1) {
    return std::move(found.front());
  }
  std::string names;
  for (const ManifestPod& pod : found) {
    names.append(names.empty() ? "" : ", ").append(pod.what);
  }
  return failure(ErrorKind::InvalidInput,
                 found.empty() ? "found no Pod and nothing with a template of one, expected one"
                               : "found several: " + names + "; expected one");
}

}  // namespace waypost::node
