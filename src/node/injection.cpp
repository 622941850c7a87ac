#include "node/injection.h"

#include "kube/yaml_tree.h"
#include "node/pod_manifest.h"
#include "node/yaml_text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace waypost::node {
namespace {

using kube::Field;
using kube::FieldReader;
using kube::Tree;
using kube::TreeNode;
using kube::TreeType;

// ---- Documents ----------------------------------------------------------------------------------

// "---" at the beginning of a line ends a document wherever it stands (YAML 1.2, 9.1.2).
bool is_separator(std::string_view line) noexcept {
  return line.starts_with("---") &&
         (line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r');
}

std::string_view take_line(std::string_view& rest) noexcept {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end == std::string_view::npos ? end : end + 1);
  rest.remove_prefix(line.size());
  return line;
}

std::string_view without_end(std::string_view line) noexcept {
  line.remove_suffix(line.ends_with('\n') ? 1 : 0);
  line.remove_suffix(line.ends_with('\r') ? 1 : 0);
  return line;
}

struct Document {
  std::string_view text;  // With the separator in front of it, if any.
  std::size_t line = 1;   // Where it begins.
};

std::vector<Document> split(std::string_view text) {
  std::vector<Document> documents;
  std::string_view rest = text;
  std::size_t begin = 0;
  std::size_t begin_line = 1;
  for (std::size_t line_number = 1; !rest.empty(); ++line_number) {
    const std::size_t at = text.size() - rest.size();
    if (is_separator(without_end(take_line(rest))) && at != 0) {
      documents.push_back({text.substr(begin, at - begin), begin_line});
      begin = at;
      begin_line = line_number;
    }
  }
  documents.push_back({text.substr(begin), begin_line});
  return documents;
}

// The separator, if it stands alone, and the comments behind it.
std::string_view head_of(std::string_view document) {
  std::string_view rest = document;
  std::size_t size = 0;
  for (bool is_first = true; !rest.empty(); is_first = false) {
    const std::string_view whole = take_line(rest);
    const std::string_view line = without_end(whole);
    const std::size_t start = line.find_first_not_of(" \t");
    const bool is_head = start == std::string_view::npos || line[start] == '#' ||
                         (is_first && is_separator(line) &&
                          line.find_first_not_of(" \t", 3) == std::string_view::npos);
    if (!is_head) {
      break;
    }
    size += whole.size();
  }
  return document.substr(0, size);
}

// Nothing but comments, blanks and directives.
bool is_empty(std::string_view document) {
  for (std::string_view rest = document.substr(head_of(document).size()); !rest.empty();) {
    const std::string_view line = without_end(take_line(rest));
    const std::size_t start = line.find_first_not_of(" \t");
    if (start != std::string_view::npos && line[start] != '#' && line[0] != '%') {
      return false;
    }
  }
  return true;
}

// ---- Pods ---------------------------------------------------------------------------------------

Value* walk(Value& object, std::span<const std::string_view> path) {
  Value* at = &object;
  for (const std::string_view name : path) {
    at = at == nullptr ? nullptr : at->find(name);
  }
  return at;
}

Value sequence_of(const std::vector<std::string>& texts) {
  Value list = Value::sequence();
  for (const std::string& text : texts) {
    list.children.push_back(Value::string(text));
  }
  return list;
}

Value config_value(const ResolverFile& file) {
  Value config = Value::mapping();
  config.set("nameservers", sequence_of(file.nameservers));
  if (!file.searches.empty()) {
    config.set("searches", sequence_of(file.searches));
  }
  Value options = Value::sequence();
  for (const std::string& text : file.options) {
    const std::size_t colon = text.find(':');
    Value option = Value::mapping();
    option.set("name", Value::string(std::string_view(text).substr(0, colon)));
    if (colon != std::string::npos) {
      option.set("value", Value::string(std::string_view(text).substr(colon + 1)));
    }
    options.children.push_back(std::move(option));
  }
  if (!options.children.empty()) {
    config.set("options", std::move(options));
  }
  return config;
}

class Injector {
 public:
  Injector(const InjectOptions& options, Injection& result) noexcept
      : options_(options), result_(result) {}

  // Changes the Pods in `object`; true when there was something to change.
  Result<bool> change(Value& object, std::string_view api_version, std::string_view kind);

 private:
  bool put_dns(Value& spec, const PodDns& pod, const std::string& what);
  Result<bool> put_environment(Value& spec, const PodDns& pod, bool links, const std::string& what);
  void note(const std::string& what, const std::string& text) {
    result_.notes.push_back(what + ": " + text);
  }

  const InjectOptions& options_;
  Injection& result_;
};

bool Injector::put_dns(Value& spec, const PodDns& pod, const std::string& what) {
  const NodeDns& node = *options_.dns;
  if (pod.policy == DnsPolicy::None) {
    const std::string wanted = node.cluster_dns.front().to_text();
    const auto& own = pod.config->nameservers;  // There is one, or the API server refuses it.
    if (std::find(own.begin(), own.end(), wanted) == own.end()) {
      note(what, "dnsPolicy None is there already, and stays");
    }
    return false;
  }
  if (pod.policy == DnsPolicy::Default ||
      (pod.policy == DnsPolicy::ClusterFirst && pod.host_network)) {
    note(what, "resolves names as its node does, and so it stays");
    return false;
  }
  PodResolver resolver = resolver_of(pod, node);
  for (const std::string& text : resolver.warnings) {
    note(what, text);
  }
  spec.set("dnsPolicy", Value::string("None"));
  spec.set("dnsConfig", config_value(resolver.file));
  return true;
}

Result<bool> Injector::put_environment(Value& spec, const PodDns& pod, bool links,
                                       const std::string& what) {
  const auto variables = options_.environment(pod.name_space, links);
  if (!variables) {
    return std::unexpected(variables.error());
  }
  bool is_changed = false;
  for (const char* list : {"initContainers", "containers"}) {
    Value* containers = spec.find(list);
    if (containers == nullptr || containers->type != TreeType::Sequence) {
      continue;
    }
    for (Value& container : containers->children) {
      if (container.type != TreeType::Mapping) {
        return failure(ErrorKind::InvalidInput,
                       what + ": spec." + list + ": found an element that is not a mapping");
      }
      Value* name = container.find("name");
      Value* env = container.find("env");
      Value made = env == nullptr || env->type != TreeType::Sequence ? Value::sequence() : *env;
      std::vector<std::string> known;
      for (Value& variable : made.children) {
        if (const Value* own = variable.find("name")) {
          known.push_back(own->text);
        }
      }
      const std::size_t before = made.children.size();
      for (const Variable& variable : *variables) {
        if (std::find(known.begin(), known.end(), variable.name) == known.end() &&
            is_shell_name(variable.name)) {
          Value added = Value::mapping();
          added.set("name", Value::string(variable.name));
          added.set("value", Value::string(variable.value));
          made.children.push_back(std::move(added));
        }
      }
      if (made.children.size() == before) {
        continue;
      }
      if (container.find("envFrom") != nullptr) {
        note(what, "container " + (name == nullptr ? "without a name" : name->text) +
                       " has envFrom; what it brings of the same name comes after the variables "
                       "that are added");
      }
      container.set("env", std::move(made));
      is_changed = true;
    }
  }
  return is_changed;
}

Result<bool> Injector::change(Value& object, std::string_view api_version, std::string_view kind) {
  if (object.type != TreeType::Mapping) {
    return false;
  }
  if (const Value* own = object.find("kind"); own != nullptr && !own->text.empty()) {
    kind = own->text;
    const Value* version = object.find("apiVersion");
    api_version = version == nullptr ? std::string_view() : std::string_view(version->text);
  }
  if (is_list(kind)) {
    Value* items = object.find("items");
    bool is_changed = false;
    if (items != nullptr && items->type == TreeType::Sequence) {
      for (Value& item : items->children) {
        const auto changed = change(item, api_version, element_kind(kind));
        if (!changed) {
          return changed;
        }
        is_changed = is_changed || *changed;
      }
    }
    return is_changed;
  }
  const auto path = pod_spec_path(api_version, kind);
  Value* spec = path.empty() ? nullptr : walk(object, path);
  if (spec == nullptr || spec->type != TreeType::Mapping) {
    return false;
  }
  FieldReader reader;
  const Field root(object.source);
  const Field metadata = reader.mapping(root.at("metadata"));
  const Field spec_field = reader.mapping(Field(spec->source));
  PodDns pod = decode_pod_dns(reader, metadata, spec_field);
  const bool links = reader.boolean(spec_field.at("enableServiceLinks"), true);
  const std::string_view name = metadata.node().find("name").text();
  const std::string what = std::string(kind) + " " +
                           (pod.name_space.empty() ? "" : pod.name_space + "/") +
                           (name.empty() ? "without a name" : std::string(name));
  if (const auto& problem = reader.problem()) {
    return failure(ErrorKind::InvalidInput,
                   "line " + std::to_string(problem->line) + ": " + what + ": " + problem->message);
  }
  if (pod.name_space.empty()) {
    pod.name_space = options_.name_space;
  }
  if (pod.name_space.empty()) {
    return failure(ErrorKind::InvalidInput,
                   "line " + std::to_string(root.line()) + ": " + what +
                       ": found no namespace, expected one there or by --namespace");
  }
  bool is_changed = options_.dns && put_dns(*spec, pod, what);
  if (options_.environment) {
    const auto changed = put_environment(*spec, pod, links, what);
    if (!changed) {
      return changed;
    }
    is_changed = is_changed || *changed;
  }
  result_.changed += is_changed ? 1 : 0;
  return is_changed;
}

}  // namespace

Result<Injection> inject(std::string_view text, const InjectOptions& options) {
  Injection result;
  Injector injector(options, result);
  Tree tree;
  std::size_t number = 0;
  for (const Document& document : split(text)) {
    ++number;
    const auto failed = [&](Error error) {
      return std::unexpected(with_context(std::move(error), "document " + std::to_string(number) +
                                                                ", which begins at line " +
                                                                std::to_string(document.line)));
    };
    if (is_empty(document.text)) {
      result.text += document.text;
      continue;
    }
    // With its end marked, so that a block at its end has the line ends that it has here.
    kube::YamlStream stream(std::string(document.text) +
                            (document.text.ends_with('\n') ? "...\n" : "\n...\n"));
    const Result<bool> next = stream.next(tree);
    if (!next) {
      return failed(next.error());
    }
    if (!*next) {
      result.text += document.text;
      continue;
    }
    Value root = Value::from_tree(tree.root());
    if (Tree more; stream.next(more).value_or(true)) {
      return failed({ErrorKind::InvalidInput,
                     "found something behind the end of the document, expected '---' before it"});
    }
    const auto changed = injector.change(root, {}, {});
    if (!changed) {
      return failed(changed.error());
    }
    if (!*changed) {
      result.text += document.text;
      continue;
    }
    std::string_view head = head_of(document.text);
    if (head.empty() &&
        is_separator(without_end(document.text.substr(0, document.text.find('\n'))))) {
      head = "---\n";
    }
    result.text.append(head).append(to_yaml(root));
  }
  return result;
}

}  // namespace waypost::node
