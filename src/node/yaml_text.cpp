#include "node/yaml_text.h"

#include "kube/yaml_tree.h"

#include <algorithm>
#include <utility>

namespace waypost::node {
namespace {

using kube::TreeNode;
using kube::TreeType;

bool is_container(const Value& value) noexcept {
  return value.type == TreeType::Sequence || value.type == TreeType::Mapping;
}

bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// Whether a string without quotes reads as itself in YAML 1.1 and 1.2, in block style.
bool is_plain(std::string_view text) {
  constexpr std::string_view Indicators = "-?:,[]{}#&*!|>'\"%@`=<~ .+";
  if (text.empty() || Indicators.find(text.front()) != std::string_view::npos ||
      (text.front() >= '0' && text.front() <= '9') || text.back() == ' ' || text.back() == ':' ||
      kube::classify_plain_scalar(text) != TreeType::String) {
    return false;
  }
  return text.find(": ") == std::string_view::npos && text.find(" #") == std::string_view::npos &&
         std::none_of(text.begin(), text.end(), is_control);
}

std::string quoted(std::string_view text) {
  constexpr std::string_view Hex = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.append(1, '\\').append(1, c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (is_control(c)) {
      out.append("\\x").append(1, Hex[static_cast<unsigned char>(c) >> 4]);
      out.append(1, Hex[static_cast<unsigned char>(c) & 15U]);
    } else {
      out.append(1, c);
    }
  }
  return out.append(1, '"');
}

// Whether a text of several lines can be a literal block: its first line says how far it is
// indented, at most one line end ends it, and nothing needs to be escaped.
bool is_literal(std::string_view text) {
  return text.find('\n') != std::string_view::npos && !text.ends_with("\n\n") &&
         text.front() != ' ' && text.front() != '\t' && text.front() != '\n' &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return is_control(c) && c != '\n' && c != '\t'; });
}

std::string literal(std::string_view text, std::size_t indent) {
  const bool has_end = text.ends_with('\n');
  std::string out = has_end ? "|" : "|-";
  std::string_view rest = text.substr(0, text.size() - (has_end ? 1 : 0));
  for (;;) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    out += '\n';
    if (!line.empty()) {
      out.append(indent, ' ').append(line);
    }
    if (end == std::string_view::npos) {
      return out;
    }
    rest.remove_prefix(end + 1);
  }
}

std::string scalar(const Value& value, std::size_t indent, bool is_key) {
  switch (value.type) {
    case TreeType::Boolean:
    case TreeType::Number:
      return value.text;
    case TreeType::String:
      if (is_plain(value.text)) {
        return value.text;
      }
      return is_key || !is_literal(value.text) ? quoted(value.text) : literal(value.text, indent);
    default:
      return "null";
  }
}

void append_lines(const Value& value, std::size_t indent, std::string& out);

// What stands behind "key:" or "-", up to the line end.
void append_value(const Value& value, std::size_t indent, std::string& out) {
  if (!is_container(value)) {
    out.append(" ").append(scalar(value, indent + 2, false)).append("\n");
  } else if (value.children.empty()) {
    out += value.type == TreeType::Mapping ? " {}\n" : " []\n";
  } else {
    out += "\n";
    append_lines(value, value.type == TreeType::Mapping ? indent + 2 : indent, out);
  }
}

// REQUIRES: a container that is not empty.
void append_lines(const Value& value, std::size_t indent, std::string& out) {
  if (value.type == TreeType::Mapping) {
    for (std::size_t i = 0; i + 1 < value.children.size(); i += 2) {
      out.append(indent, ' ').append(scalar(value.children[i], 0, true)).append(":");
      append_value(value.children[i + 1], indent, out);
    }
    return;
  }
  for (const Value& element : value.children) {
    out.append(indent, ' ').append("-");
    if (is_container(element) && !element.children.empty()) {
      // The element's first line goes on behind the dash.
      std::string lines;
      append_lines(element, indent + 2, lines);
      out.append(" ").append(lines, indent + 2);
    } else {
      append_value(element, indent, out);
    }
  }
}

}  // namespace

Value Value::from_tree(const TreeNode& node) {
  Value value{node.type(), std::string(node.text()), {}, node};
  for (TreeNode at = node.first_child(); at.type() != TreeType::Absent; at = at.next_sibling()) {
    value.children.push_back(from_tree(at));
  }
  return value;
}

Value Value::string(std::string_view text) {
  return {TreeType::String, std::string(text), {}, {}};
}

Value* Value::find(std::string_view key) noexcept {
  if (type != TreeType::Mapping) {
    return nullptr;
  }
  for (std::size_t i = 0; i + 1 < children.size(); i += 2) {
    if (children[i].text == key) {
      return &children[i + 1];
    }
  }
  return nullptr;
}

void Value::set(std::string_view key, Value value) {
  if (Value* present = find(key)) {
    *present = std::move(value);
    return;
  }
  children.push_back(string(key));
  children.push_back(std::move(value));
}

std::string to_yaml(const Value& value) {
  std::string out;
  if (is_container(value) && !value.children.empty()) {
    append_lines(value, 0, out);
  } else {
    append_value(value, 0, out);
    out.erase(0, 1);
  }
  return out;
}

}  // namespace waypost::node
