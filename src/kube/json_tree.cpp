#include "kube/json_tree.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>
#include <string>
#include <utility>

namespace waypost::kube {
namespace {

using simdjson::error_code;
namespace ondemand = simdjson::ondemand;

struct SkippedField {
  std::string_view parent;
  std::string_view name;
};
// Managed fields are half of a typical object; the others are what makes Pods and Nodes large.
constexpr std::array<SkippedField, 9> SkippedFields = {{
    {"metadata", "managedFields"},
    {"metadata", "ownerReferences"},
    {"spec", "affinity"},
    {"spec", "tolerations"},
    {"spec", "volumes"},
    {"status", "containerStatuses"},
    {"status", "images"},
    {"status", "initContainerStatuses"},
    {"status", "nodeInfo"},
}};
// On the bookmark that ends the initial events of a streaming list (KEP 3157); when a slice's
// endpoints changed (decode_trigger_time()).
constexpr std::array<std::string_view, 2> WantedAnnotations = {
    "k8s.io/initial-events-end", "endpoints.kubernetes.io/last-change-trigger-time"};

std::string_view trim_end(std::string_view token) noexcept {
  return token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
}

std::size_t count_digits(std::string_view text) noexcept {
  const auto end =
      std::find_if_not(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return static_cast<std::size_t>(end - text.begin());
}

// RFC 8259, 6, of any size.
bool is_number(std::string_view text) noexcept {
  if (text.starts_with('-')) {
    text.remove_prefix(1);
  }
  const std::size_t whole = count_digits(text);
  if (whole == 0 || (whole > 1 && text.front() == '0')) {
    return false;
  }
  text.remove_prefix(whole);
  if (text.starts_with('.')) {
    const std::size_t digits = count_digits(text.substr(1));
    if (digits == 0) {
      return false;
    }
    text.remove_prefix(1 + digits);
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) {
      text.remove_prefix(1);
    }
    const std::size_t digits = count_digits(text);
    if (digits == 0) {
      return false;
    }
    text.remove_prefix(digits);
  }
  return text.empty();
}

// Copies one document's values into a tree.  The tree's text is the document itself, which simdjson
// reads from there, and behind it the strings that had escapes.
class Walk {
 public:
  Walk(TreeBuilder& builder, JsonScope scope) : builder_(builder), scope_(scope) {}

  // `name` is the value's key, empty for elements.
  error_code add_object(ondemand::object object, std::string_view name);
  error_code add_array(ondemand::array array);

  bool is_too_deep() const noexcept { return is_too_deep_; }

 private:
  error_code add_value(ondemand::value& value, std::string_view name);
  error_code add_string(ondemand::value& value, std::string_view token);
  error_code add_key(ondemand::field& field, std::string_view parent, bool& is_wanted,
                     std::string_view& name);
  bool is_wanted(std::string_view parent, std::string_view name) const noexcept;
  error_code open(TreeType type);
  // Adds a scalar whose text stands in the document.
  void add_in_place(TreeType type, std::string_view text);
  // Adds a string that simdjson has unescaped.
  void add_unescaped(std::string_view text);

  TreeBuilder& builder_;
  JsonScope scope_;
  bool is_too_deep_ = false;
};

void Walk::add_in_place(TreeType type, std::string_view text) {
  builder_.add_scalar(type, 0, static_cast<std::size_t>(text.data() - builder_.text().data()),
                      text.size());
}

void Walk::add_unescaped(std::string_view text) {
  // An escape is longer than what it stands for, so all of them fit where read() made room.
  assert(builder_.text().capacity() - builder_.text().size() >= text.size());
  builder_.add_scalar(TreeType::String, 0, text);
}

error_code Walk::open(TreeType type) {
  if (builder_.depth() >= MaxTreeDepth) {
    is_too_deep_ = true;
    return simdjson::DEPTH_ERROR;
  }
  builder_.open(type, 0);
  return simdjson::SUCCESS;
}

bool Walk::is_wanted(std::string_view parent, std::string_view name) const noexcept {
  if (scope_ == JsonScope::Everything) {
    return true;
  }
  switch (builder_.depth()) {
    case 1:
      return scope_ == JsonScope::Object || name == "metadata";
    case 2:
      return std::none_of(SkippedFields.begin(), SkippedFields.end(), [&](const SkippedField& f) {
        return f.name == name && f.parent == parent;
      });
    case 3:
      return parent != "annotations" ||
             std::find(WantedAnnotations.begin(), WantedAnnotations.end(), name) !=
                 WantedAnnotations.end();
    default:
      return true;
  }
}

error_code Walk::add_key(ondemand::field& field, std::string_view parent, bool& wanted,
                         std::string_view& name) {
  const char* const begin = field.key().raw();
  const char* end = begin;
  while (*end != '"' && *end != '\\') {
    ++end;
  }
  if (*end == '\\') {
    if (const error_code error = field.unescaped_key().get(name)) {
      return error;
    }
    wanted = is_wanted(parent, name);
    if (wanted) {
      add_unescaped(name);
    }
    return simdjson::SUCCESS;
  }
  name = std::string_view(begin, end);
  wanted = is_wanted(parent, name);
  if (wanted) {
    add_in_place(TreeType::String, name);
  }
  return simdjson::SUCCESS;
}

error_code Walk::add_object(ondemand::object object, std::string_view own_name) {
  if (const error_code error = open(TreeType::Mapping)) {
    return error;
  }
  for (auto next : object) {
    ondemand::field field;
    if (const error_code error = std::move(next).get(field)) {
      return error;
    }
    bool wanted = false;
    std::string_view name;
    if (const error_code error = add_key(field, own_name, wanted, name)) {
      return error;
    }
    if (!wanted) {
      continue;
    }
    if (const error_code error = add_value(field.value(), name)) {
      return error;
    }
  }
  builder_.note_repeated_key();
  builder_.close();
  return simdjson::SUCCESS;
}

error_code Walk::add_array(ondemand::array array) {
  if (const error_code error = open(TreeType::Sequence)) {
    return error;
  }
  for (auto next : array) {
    ondemand::value value;
    if (const error_code error = std::move(next).get(value)) {
      return error;
    }
    if (const error_code error = add_value(value, {})) {
      return error;
    }
  }
  builder_.close();
  return simdjson::SUCCESS;
}

error_code Walk::add_string(ondemand::value& value, std::string_view token) {
  token = token.substr(1, token.rfind('"') - 1);
  if (token.find('\\') == std::string_view::npos) {
    add_in_place(TreeType::String, token);
    // Taken, because simdjson steps over what is not taken as over a key with its value.
    return value.get_raw_json_string().error();
  }
  std::string_view unescaped;
  if (const error_code error = value.get_string().get(unescaped)) {
    return error;
  }
  add_unescaped(unescaped);
  return simdjson::SUCCESS;
}

error_code Walk::add_value(ondemand::value& value, std::string_view name) {
  const std::string_view token = value.raw_json_token();
  switch (token.front()) {
    case '{': {
      ondemand::object object;
      const error_code error = value.get_object().get(object);
      return error ? error : add_object(object, name);
    }
    case '[': {
      ondemand::array array;
      const error_code error = value.get_array().get(array);
      return error ? error : add_array(array);
    }
    case '"':
      return add_string(value, token);
    default:
      break;
  }
  // simdjson steps over such scalars by itself.
  const std::string_view text = trim_end(token);
  if (text == "true" || text == "false") {
    add_in_place(TreeType::Boolean, text);
  } else if (text == "null") {
    add_in_place(TreeType::Null, text);
  } else if (is_number(text)) {
    add_in_place(TreeType::Number, text);
  } else {
    return simdjson::TAPE_ERROR;
  }
  return simdjson::SUCCESS;
}

error_code read_document(ondemand::document& document, Walk& walk) {
  ondemand::json_type type{};
  if (const error_code error = document.type().get(type)) {
    return error;
  }
  if (type == ondemand::json_type::object) {
    ondemand::object object;
    const error_code error = document.get_object().get(object);
    return error ? error : walk.add_object(object, {});
  }
  if (type == ondemand::json_type::array) {
    ondemand::array array;
    const error_code error = document.get_array().get(array);
    return error ? error : walk.add_array(array);
  }
  return simdjson::INCORRECT_TYPE;
}

}  // namespace

struct JsonTreeReader::State {
  ondemand::parser parser;
  TreeBuilder builder;
};

JsonTreeReader::JsonTreeReader() : state_(std::make_unique<State>()) {}
JsonTreeReader::~JsonTreeReader() = default;
JsonTreeReader::JsonTreeReader(JsonTreeReader&&) noexcept = default;
JsonTreeReader& JsonTreeReader::operator=(JsonTreeReader&&) noexcept = default;

Result<void> JsonTreeReader::read(std::string_view text, JsonScope scope, Tree& tree) {
  if (text.size() > MaxJsonSize) {
    return failure(ErrorKind::Exhausted, "longer than " + std::to_string(MaxJsonSize) + " octets");
  }
  TreeBuilder& builder = state_->builder;
  builder.begin(tree);
  std::string& buffer = builder.text();
  buffer.reserve(2 * text.size() + simdjson::SIMDJSON_PADDING);
  buffer = text;
  buffer.append(simdjson::SIMDJSON_PADDING, '\0');

  Walk walk(builder, scope);
  ondemand::document document;
  error_code error =
      state_->parser.iterate(buffer.data(), text.size(), buffer.size()).get(document);
  if (!error) {
    error = read_document(document, walk);
  }
  if (walk.is_too_deep()) {
    return failure(ErrorKind::Exhausted,
                   "values are nested deeper than " + std::to_string(MaxTreeDepth));
  }
  if (!error && !document.current_location().error()) {
    error = simdjson::TRAILING_CONTENT;
  }
  if (error == simdjson::INCORRECT_TYPE) {
    return failure(ErrorKind::InvalidInput, "not a JSON object or array");
  }
  if (error) {
    return failure(ErrorKind::InvalidInput,
                   std::string("not JSON: ") + simdjson::error_message(error));
  }
  return {};
}

}  // namespace waypost::kube
