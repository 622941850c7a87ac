#include "kube/list_reader.h"

#include "kube/field_reader.h"
#include "kube/object_decoders.h"
#include "kube/tree.h"

#include <charconv>
#include <utility>

namespace waypost::kube {
namespace {

constexpr std::string_view ItemsKey = "items";

bool is_white_space(char octet) noexcept {
  return octet == ' ' || octet == '\n' || octet == '\r' || octet == '\t';
}

std::optional<std::uint64_t> decode_count(FieldReader& reader, const Field& field) {
  if (!field.is_present()) {
    return std::nullopt;
  }
  const std::string_view digits = field.node().text();
  std::uint64_t count = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (field.node().type() != TreeType::Number || ec != std::errc() ||
      end != digits.data() + digits.size()) {
    reader.refuse(field, "a number of items");
    return std::nullopt;
  }
  return count;
}

Result<ListMeta> decode_list_meta(const TreeNode& root) {
  FieldReader reader;
  const Field body = reader.mapping(Field(root));
  const Field kind = body.at("kind");
  ListMeta meta;
  meta.kind = reader.text(kind);
  if (!meta.kind.ends_with("List")) {
    reader.refuse(kind, "a list's, such as ServiceList");
  }
  const Field metadata_field = body.at("metadata");
  const Field metadata = reader.mapping(metadata_field);
  meta.resource_version = decode_resource_version(reader, metadata);
  meta.continue_token = reader.text(metadata.at("continue"));
  meta.remaining_item_count = decode_count(reader, metadata.at("remainingItemCount"));
  const Field items = body.at(ItemsKey);
  if (items.node().type() != TreeType::Null && items.node().type() != TreeType::Sequence) {
    reader.refuse(items, "a sequence");
  }
  if (reader.problem()) {
    return failure(ErrorKind::InvalidInput, reader.problem()->message);
  }
  return meta;
}

}  // namespace

ListReader::ListReader(ItemSink on_item) : on_item_(std::move(on_item)) {}

void ListReader::fail(ErrorKind kind, std::string_view message) {
  error_ = Error{kind, "octet " + std::to_string(octets_) + ": "};
  error_->message += message;
}

Result<void> ListReader::feed(std::string_view piece) {
  while (!piece.empty() && !error_) {
    if (place_ == Place::Item) {
      read_item(piece);
      continue;
    }
    const char octet = piece.front();
    switch (place_) {
      case Place::Start:
        if (octet == '{') {
          place_ = Place::Envelope;
          read_envelope(octet);
        } else if (!is_white_space(octet)) {
          fail(ErrorKind::InvalidInput, "the body is not a JSON object");
        }
        break;
      case Place::Envelope:
        read_envelope(octet);
        break;
      case Place::FirstItem:
      case Place::NextItem:
      case Place::ItemEnd:
        read_between_items(octet);
        break;
      case Place::Item:
        break;
      case Place::End:
        if (!is_white_space(octet)) {
          fail(ErrorKind::InvalidInput, "the body goes on behind its end");
        }
        break;
    }
    if (place_ != Place::Item) {  // An element's brace is its own.
      piece.remove_prefix(1);
      ++octets_;
    }
  }
  return error_ ? Result<void>(std::unexpected(*error_)) : Result<void>();
}

void ListReader::read_item(std::string_view& piece) {
  const std::string_view part = piece.substr(0, extent_.scan(piece));
  if (item_.size() + part.size() > MaxListItem) {
    fail(ErrorKind::Exhausted, "items[" + std::to_string(items_) + "] is longer than " +
                                   std::to_string(MaxListItem) + " octets");
    return;
  }
  piece.remove_prefix(part.size());
  octets_ += part.size();
  if (!extent_.is_complete()) {
    item_ += part;
    return;
  }
  ++items_;
  place_ = Place::ItemEnd;
  if (item_.empty()) {
    on_item_(part);
    return;
  }
  item_ += part;
  on_item_(item_);
  item_.clear();
}

void ListReader::read_between_items(char octet) {
  if (is_white_space(octet)) {
    return;
  }
  const bool may_begin = place_ != Place::ItemEnd;
  if (octet == '{' && may_begin) {
    place_ = Place::Item;
    extent_.begin();
  } else if (octet == ']' && place_ != Place::NextItem) {
    place_ = Place::Envelope;
    read_envelope(octet);
  } else if (octet == ',' && !may_begin) {
    place_ = Place::NextItem;
  } else {
    fail(ErrorKind::InvalidInput, std::string(may_begin ? "expected an object as items["
                                                        : "expected ',' or ']' before items[") +
                                      std::to_string(items_) + "]");
  }
}

void ListReader::end_string() noexcept {
  in_string_ = false;
  if (depth_ == 1) {
    is_items_key_ = std::string_view(envelope_).substr(
                        string_begin_, envelope_.size() - 1 - string_begin_) == ItemsKey;
  }
}

// Follows strings and depth, so that the bracket of `items` is known when it comes.
void ListReader::read_envelope(char octet) {
  if (envelope_.size() == MaxListEnvelope) {
    fail(ErrorKind::Exhausted,
         "more than " + std::to_string(MaxListEnvelope) + " octets besides the elements of items");
    return;
  }
  envelope_ += octet;
  if (in_string_) {
    if (is_escaped_) {
      is_escaped_ = false;
    } else if (octet == '\\') {
      is_escaped_ = true;
    } else if (octet == '"') {
      end_string();
    }
    return;
  }
  switch (octet) {
    case '"':
      in_string_ = true;
      string_begin_ = envelope_.size();
      break;
    case '{':
    case '[':
      if (octet == '[' && depth_ == 1 && is_items_key_) {
        place_ = Place::FirstItem;
      }
      ++depth_;
      break;
    case '}':
    case ']':
      if (--depth_ == 0) {
        place_ = Place::End;
      }
      break;
    case ',':
      is_items_key_ = is_items_key_ && depth_ != 1;
      break;
    default:
      break;
  }
}

Result<std::variant<ListMeta, ApiStatus>> ListReader::finish() {
  if (error_) {
    return std::unexpected(*error_);
  }
  if (place_ != Place::End) {
    fail(ErrorKind::InvalidInput, place_ == Place::Item
                                      ? "the body ends inside items[" + std::to_string(items_) + "]"
                                      : std::string("the body ends too early"));
    return std::unexpected(*error_);
  }
  JsonTreeReader reader;
  Tree tree;
  if (auto read = reader.read(envelope_, JsonScope::Everything, tree); !read) {
    return std::unexpected(with_context(std::move(read.error()), "the list around its items"));
  }
  if (tree.root().find("kind").text() == "Status") {
    return decode_status(envelope_);
  }
  auto meta = decode_list_meta(tree.root());
  if (!meta) {
    return std::unexpected(std::move(meta.error()));
  }
  meta->items = items_;
  return std::move(*meta);
}

}  // namespace waypost::kube
