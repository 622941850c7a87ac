#include "kube/field_reader.h"

#include "kube/names.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace waypost::kube {
namespace {

constexpr std::string_view PortRule = "a port number 1..65535";
constexpr std::size_t MaxQuoted = 80;  // Octets of a value that a message repeats.

std::string quote(std::string_view text) {
  std::string quoted = "'";
  quoted += text.substr(0, MaxQuoted);
  quoted += text.size() > MaxQuoted ? "...'" : "'";
  return quoted;
}

// Reads decimal or 0x digits.  A leading zero is refused: YAML 1.1 reads 010 as eight, YAML 1.2 as
// ten.
std::optional<std::uint32_t> parse_number(std::string_view text) noexcept {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    base = 16;
  } else if (text.size() > 1 && text.front() == '0') {
    return std::nullopt;
  }
  std::uint32_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return ec == std::errc() && end == text.data() + text.size() ? std::optional(number)
                                                               : std::nullopt;
}

}  // namespace

std::string describe(const TreeNode& node) {
  switch (node.type()) {
    case TreeType::Absent:
      return "nothing";
    case TreeType::Null:
      return "null";
    case TreeType::Boolean:
      return "the boolean " + quote(node.text());
    case TreeType::Number:
      return "the number " + quote(node.text());
    case TreeType::String:
      return quote(node.text());
    case TreeType::Sequence:
      return "a sequence";
    case TreeType::Mapping:
      return "a mapping";
  }
  return {};
}

std::string Field::path() const {
  if (parent_ == nullptr) {
    return {};
  }
  std::string path = parent_->path();
  if (index_ != NoIndex) {
    return path + "[" + std::to_string(index_) + "]";
  }
  if (name_.find_first_of("./") != std::string_view::npos) {  // A label's key.
    return path.append("[").append(name_).append("]");
  }
  return path.empty() ? std::string(name_) : path.append(".").append(name_);
}

std::size_t Field::line() const noexcept {
  const Field* at = this;
  while (at->node_.type() == TreeType::Absent && at->parent_ != nullptr) {
    at = at->parent_;
  }
  return at->node_.line();
}

void FieldReader::complain(const Field& field, std::string_view message) {
  if (problem_) {
    return;
  }
  const std::string path = field.path();
  problem_ = FieldProblem{field.line(),
                          path.empty() ? std::string(message) : path + ": " + std::string(message)};
}

void FieldReader::refuse(const Field& field, std::string_view expected) {
  if (problem_) {
    return;
  }
  if (!field.is_present()) {
    complain(field, "is missing; expected " + std::string(expected));
  } else {
    complain(field, describe(field.node()) + " is not " + std::string(expected));
  }
}

Field FieldReader::mapping(Field field) {
  if (!field.is_present()) {
    return field;
  }
  if (field.node().type() != TreeType::Mapping) {
    refuse(field, "a mapping");
    return Field(TreeNode());
  }
  const TreeNode repeated = field.node().repeated_key();
  if (repeated.type() != TreeType::Absent) {
    complain(field.value(repeated, repeated.text()), "is given twice; expected it once");
  }
  return field;
}

bool FieldReader::is_sequence(const Field& field) {
  if (!field.is_present()) {
    return false;
  }
  if (field.node().type() != TreeType::Sequence) {
    refuse(field, "a sequence");
    return false;
  }
  return true;
}

std::string_view FieldReader::text(const Field& field) {
  switch (field.node().type()) {
    case TreeType::Absent:
    case TreeType::Null:
      return {};
    case TreeType::String:
      return field.node().text();
    case TreeType::Boolean:
    case TreeType::Number:
      refuse(field, "a string; put it in quotes");
      return {};
    case TreeType::Sequence:
    case TreeType::Mapping:
      refuse(field, "a string");
      return {};
  }
  return {};
}

std::string_view FieldReader::text(const Field& field, bool (*check)(std::string_view) noexcept,
                                   std::string_view expected) {
  const std::string_view found = text(field);
  if (!found.empty() && !check(found)) {
    refuse(field, expected);
    return {};
  }
  return found;
}

std::string_view FieldReader::required_text(const Field& field,
                                            bool (*check)(std::string_view) noexcept,
                                            std::string_view expected) {
  const std::string_view found = text(field, check, expected);
  if (found.empty()) {
    refuse(field, expected);
  }
  return found;
}

bool FieldReader::boolean(const Field& field, bool otherwise) {
  if (!field.is_present()) {
    return otherwise;
  }
  if (field.node().type() != TreeType::Boolean) {
    refuse(field, "true or false");
    return otherwise;
  }
  const char first = field.node().text().front();
  if (first == 'o' || first == 'O') {  // on, off
    return field.node().text().size() == 2;
  }
  return first == 't' || first == 'T' || first == 'y' || first == 'Y';
}

std::optional<std::uint16_t> FieldReader::port(const Field& field) {
  if (!field.is_present()) {
    return std::nullopt;
  }
  if (field.node().type() == TreeType::String && parse_number(field.node().text())) {
    refuse(field, std::string(PortRule) + " as long as it is in quotes");
    return std::nullopt;
  }
  const auto number =
      field.node().type() == TreeType::Number ? parse_number(field.node().text()) : std::nullopt;
  if (!number || *number < 1 || *number > 65535) {
    refuse(field, PortRule);
    return std::nullopt;
  }
  return static_cast<std::uint16_t>(*number);
}

Protocol FieldReader::protocol(const Field& field) {
  const std::string_view name = text(field);
  if (name.empty() || name == "TCP") {
    return Protocol::Tcp;
  }
  if (name == "UDP") {
    return Protocol::Udp;
  }
  if (name == "SCTP") {
    return Protocol::Sctp;
  }
  refuse(field, "one of TCP, UDP, SCTP");
  return Protocol::Tcp;
}

std::optional<IpAddress> FieldReader::address(const Field& field) {
  const std::string_view found = text(field);
  const auto address = IpAddress::from_text(found);
  if (!address) {
    refuse(field, "an IP address");
  }
  return address;
}

Labels FieldReader::labels(Field field) {
  Labels labels;
  const Field map = mapping(field);
  for (TreeNode key = map.node().first_child(); key.type() != TreeType::Absent;) {
    const TreeNode value = key.next_sibling();
    const Field pair = map.value(value, key.text());
    if (key.type() != TreeType::String || !is_label_key(key.text())) {
      complain(map, describe(key) + " is not " + std::string(LabelKeyRule));
    }
    labels.emplace_back(key.text(), text(pair, is_label_value, LabelValueRule));
    key = value.next_sibling();
  }
  std::sort(labels.begin(), labels.end());
  return labels;
}

}  // namespace waypost::kube
