#include "kube/json_tree.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

namespace waypost::kube {
namespace {

using simdjson::error_code;
namespace ondemand = simdjson::ondemand;

// Fields that no decoder reads, by the name of the object that they stand in.  Managed fields are
// half of a typical object; others are what makes Pods and Nodes large, or stand in every endpoint.
struct SkippedFields {
  std::string_view parent;
  std::size_t depth;  // Of the parent; the object's own fields are 2 deep.
  std::array<std::string_view, 5> names;
};
constexpr std::array<SkippedFields, 4> Skipped = {{
    {"metadata", 2, {"generateName", "generation", "managedFields", "ownerReferences", "uid"}},
    {"spec", 2, {"affinity", "tolerations", "volumes"}},
    {"status", 2, {"containerStatuses", "images", "initContainerStatuses", "nodeInfo"}},
    {"targetRef", 4, {"apiVersion", "fieldPath", "namespace", "resourceVersion", "uid"}},
}};
// On the bookmark that ends the initial events of a streaming list (KEP 3157); when a slice's
// endpoints changed (decode_change_times()).
constexpr std::array<std::string_view, 2> WantedAnnotations = {
    "k8s.io/initial-events-end", "endpoints.kubernetes.io/last-change-trigger-time"};

// The first quote or backslash from `text` on.  REQUIRES: there is one, and SIMDJSON_PADDING octets
// behind it can be read.
const char* find_quote(const char* text) noexcept {
  constexpr std::size_t Width = 16;
  using Octets = char __attribute__((ext_vector_type(Width)));
  using Flags = bool __attribute__((ext_vector_type(Width)));
  static_assert(Width <= simdjson::SIMDJSON_PADDING);
  while (true) {
    Octets octets;
    std::memcpy(&octets, text, Width);
    const auto found = std::bit_cast<std::uint16_t>(
        __builtin_convertvector(octets == '"' | octets == '\\', Flags));
    if (found != 0) {
      return text + std::countr_zero(found);
    }
    text += Width;
  }
}

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
  // What decides which fields of an object are wanted.
  struct Parent {
    const SkippedFields* skipped;
    bool is_root;  // Of an object of which only the metadata is wanted.
    bool is_annotations;
  };
  error_code add_key(ondemand::field& field, const Parent& parent, bool& is_wanted,
                     std::string_view& name);
  const SkippedFields* skipped_in(std::string_view parent) const noexcept;
  bool is_wanted(const Parent& parent, std::string_view name) const noexcept;
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

// Which fields of an object with this name, at the depth of now, are left out.
const SkippedFields* Walk::skipped_in(std::string_view parent) const noexcept {
  if (scope_ == JsonScope::Everything) {
    return nullptr;
  }
  for (const SkippedFields& fields : Skipped) {
    if (fields.depth == builder_.depth() && fields.parent == parent) {
      return &fields;
    }
  }
  return nullptr;
}

bool Walk::is_wanted(const Parent& parent, std::string_view name) const noexcept {
  if (parent.skipped != nullptr) {
    const auto& names = parent.skipped->names;
    return std::find(names.begin(), names.end(), name) == names.end();
  }
  if (parent.is_root) {
    return name == "metadata";
  }
  return !parent.is_annotations || std::find(WantedAnnotations.begin(), WantedAnnotations.end(),
                                             name) != WantedAnnotations.end();
}

error_code Walk::add_key(ondemand::field& field, const Parent& parent, bool& wanted,
                         std::string_view& name) {
  const char* const begin = field.key().raw();
  const char* const end = find_quote(begin);
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
  const Parent parent{.skipped = skipped_in(own_name),
                      .is_root = scope_ == JsonScope::Metadata && builder_.depth() == 1,
                      .is_annotations = scope_ != JsonScope::Everything && builder_.depth() == 3 &&
                                        own_name == "annotations"};
  for (auto next : object) {
    ondemand::field field;
    if (const error_code error = std::move(next).get(field)) {
      return error;
    }
    bool wanted = false;
    std::string_view name;
    if (const error_code error = add_key(field, parent, wanted, name)) {
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
  const char* const begin = token.data() + 1;
  const char* const end = find_quote(begin);
  if (*end == '"') {
    add_in_place(TreeType::String, {begin, end});
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
