#include "ops/config_reader.h"

#include <yaml-cpp/yaml.h>

#include <map>
#include <string>
#include <utility>

namespace waypost::ops {
namespace {

std::string place(const std::filesystem::path& path, const YAML::Mark& mark) {
  return path.string() + ":" + std::to_string(mark.line + 1);
}

Error problem(const std::string& where, std::string_view what) {
  return with_context({ErrorKind::InvalidInput, std::string(what)}, where);
}

// Nested lists and maps inside a list become a value that no option accepts.
SettingValue value_of(const YAML::Node& node, const std::filesystem::path& path) {
  SettingValue value;
  value.where = place(path, node.Mark());
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      value.text = node.Scalar();
      value.quoted = node.Tag() == "!";
      break;
    case YAML::NodeType::Sequence:
      value.text = "[...]";
      break;
    case YAML::NodeType::Map:
      value.text = "{...}";
      break;
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined:
      break;
  }
  return value;
}

Setting setting_of(const YAML::Node& key, const YAML::Node& node,
                   const std::filesystem::path& path) {
  using Shape = Setting::Shape;
  Setting setting;
  setting.key = key.Scalar();
  setting.where = place(path, key.Mark()) + ": " + setting.key;
  setting.folder = path.parent_path();
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      setting.values.push_back(value_of(node, path));
      break;
    case YAML::NodeType::Sequence:
      setting.shape = Shape::List;
      for (const YAML::Node& item : node) {
        setting.values.push_back(value_of(item, path));
      }
      break;
    case YAML::NodeType::Map:
      setting.shape = Shape::Map;
      break;
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined:
      setting.shape = Shape::Nothing;
      break;
  }
  return setting;
}

// Deeper than any KubeProxyConfiguration.
constexpr unsigned MaxDepth = 8;

// `prefix` is what flattened keys begin with.
void read_map(const YAML::Node& map, const std::filesystem::path& path, NestedMaps nested,
              const std::string& prefix, unsigned depth, ReadSettings& out) {
  std::map<std::string, int> lines;
  for (const auto& entry : map) {
    if (!entry.first.IsScalar()) {
      out.problems.push_back(
          problem(place(path, entry.first.Mark()), "found a key that is not text"));
      continue;
    }
    Setting setting = setting_of(entry.first, entry.second, path);
    const auto [seen, is_new] = lines.emplace(setting.key, entry.first.Mark().line + 1);
    if (!is_new) {
      out.problems.push_back(problem(
          setting.where, "given twice, the first time in line " + std::to_string(seen->second)));
      continue;
    }
    if (nested == NestedMaps::Flattened && setting.shape == Setting::Shape::Map &&
        depth < MaxDepth) {
      read_map(entry.second, path, nested, prefix + setting.key + ".", depth + 1, out);
      continue;
    }
    if (!prefix.empty()) {
      setting.where = place(path, entry.first.Mark()) + ": " + prefix + setting.key;
      setting.key.insert(0, prefix);
    }
    out.settings.push_back(std::move(setting));
  }
}

}  // namespace

ReadSettings read_settings(std::string_view text, const std::filesystem::path& path,
                           NestedMaps nested) {
  ReadSettings out;
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1) {
      out.problems.push_back(
          problem(place(path, documents[1].Mark()), "found a second YAML document, expected one"));
    }
    if (!documents.empty() && documents[0].IsMap()) {
      read_map(documents[0], path, nested, "", 0, out);
    } else if (!documents.empty() && !documents[0].IsNull()) {
      out.problems.push_back(problem(place(path, documents[0].Mark()),
                                     "found no keys, expected lines such as 'ttl: 5'"));
    }
  } catch (const YAML::Exception& exception) {
    out.settings.clear();
    out.problems.push_back(problem(place(path, exception.mark), "not YAML: " + exception.msg));
  }
  return out;
}

}  // namespace waypost::ops
