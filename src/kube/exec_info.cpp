#include "kube/exec_info.h"

#include "kube/base64.h"

#include <algorithm>
#include <array>

namespace waypost::kube {
namespace {

void append_string(std::string& json, std::string_view text) {
  constexpr std::string_view Digits = "0123456789abcdef";
  json += '"';
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (octet < 0x20) {
      json += "\\u00";
      json += Digits[octet >> 4];
      json += Digits[octet & 0xf];
    } else {
      json += c;
    }
  }
  json += '"';
}

// A member of an object, with the comma in front of all but the first.
void append_name(std::string& json, std::string_view name) {
  if (!json.ends_with('{')) {
    json += ',';
  }
  append_string(json, name);
  json += ':';
}

// True for the numbers that JSON writes as YAML does: 7, -7, 7.5.
bool is_json_number(std::string_view text) noexcept {
  text.remove_prefix(text.starts_with('-') ? 1 : 0);
  const auto point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction = point == std::string_view::npos ? "0" : text.substr(point + 1);
  const auto are_digits = [](std::string_view digits) {
    return !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return are_digits(whole) && are_digits(fraction) && (whole.size() == 1 || whole[0] != '0');
}

bool is_true(std::string_view boolean) noexcept {
  constexpr std::array<std::string_view, 12> Words{"true", "True", "TRUE", "yes", "Yes", "YES",
                                                   "on",   "On",   "ON",   "y",   "Y",   "t"};
  return std::find(Words.begin(), Words.end(), boolean) != Words.end();
}

// Trees are no deeper than MaxTreeDepth.
void append_tree(std::string& json, const TreeNode& node) {  // NOLINT(misc-no-recursion)
  switch (node.type()) {
    case TreeType::Absent:
    case TreeType::Null:
      json += "null";
      return;
    case TreeType::Boolean:
      json += is_true(node.text()) ? "true" : "false";
      return;
    case TreeType::Number:
      if (is_json_number(node.text())) {
        json += node.text();
        return;
      }
      append_string(json, node.text());
      return;
    case TreeType::String:
      append_string(json, node.text());
      return;
    case TreeType::Sequence:
      json += '[';
      for (TreeNode at = node.first_child(); at.type() != TreeType::Absent;
           at = at.next_sibling()) {
        json += json.ends_with('[') ? "" : ",";
        append_tree(json, at);
      }
      json += ']';
      return;
    case TreeType::Mapping:
      json += '{';
      for (TreeNode key = node.first_child(); key.type() != TreeType::Absent;) {
        const TreeNode value = key.next_sibling();
        append_name(json, key.text());
        append_tree(json, value);
        key = value.next_sibling();
      }
      json += '}';
      return;
  }
}

void append_cluster(std::string& json, const ExecCluster& cluster) {
  json += '{';
  append_name(json, "server");
  append_string(json, cluster.server);
  if (!cluster.tls_server_name.empty()) {
    append_name(json, "tls-server-name");
    append_string(json, cluster.tls_server_name);
  }
  if (cluster.insecure_skip_tls_verify) {
    append_name(json, "insecure-skip-tls-verify");
    json += "true";
  }
  if (!cluster.certificate_authority.empty()) {
    append_name(json, "certificate-authority-data");
    append_string(json, encode_base64(cluster.certificate_authority));
  }
  if (cluster.disable_compression) {
    append_name(json, "disable-compression");
    json += "true";
  }
  if (cluster.config.is_present()) {
    append_name(json, "config");
    append_tree(json, cluster.config);
  }
  json += '}';
}

}  // namespace

std::string exec_info(std::string_view api_version, const ExecCluster* cluster) {
  std::string json = "{";
  append_name(json, "kind");
  append_string(json, "ExecCredential");
  append_name(json, "apiVersion");
  append_string(json, api_version);
  append_name(json, "spec");
  json += '{';
  if (cluster != nullptr) {
    append_name(json, "cluster");
    append_cluster(json, *cluster);
  }
  append_name(json, "interactive");
  json += "false}}";
  return json;
}

}  // namespace waypost::kube
