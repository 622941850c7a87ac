// The elements of a list response, while its body is still on its way.
//
// The body is fed in pieces as they come, split anywhere.  Each element of `items` goes to a
// callback as soon as it is complete, most of them straight out of the piece; all else of the body,
// `metadata` above all, is kept and read at the end.  So memory holds one element at most, however
// long the list is.  A failed request has a Status for a body: that is an outcome too.
//
// Not here: what an element is (kube/json_decoder.h), pages and versions (sources/).

#pragma once

#include "base/error.h"
#include "kube/api_status.h"
#include "kube/json_extent.h"
#include "kube/json_tree.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace waypost::kube {

inline constexpr std::size_t MaxListItem = MaxJsonSize;  // 4 MiB: one element of `items`.
inline constexpr std::size_t MaxListEnvelope = std::size_t{64} << 10;  // All else of a body.

// meta/v1 ListMeta.
struct ListMeta {
  std::string kind;  // "ServiceList"
  std::uint64_t resource_version = 0;
  std::string continue_token;  // Empty: this was the last page.
  std::optional<std::uint64_t> remaining_item_count;
  std::size_t items = 0;  // How many went to the callback.

  friend bool operator==(const ListMeta&, const ListMeta&) = default;
};

// For one body.  Everything happens on the caller's thread.
class ListReader {
 public:
  // Called inside feed() with one complete element, a JSON object as far as its braces tell,
  // borrowed for the call.  Must not call back into the reader.
  using ItemSink = std::function<void(std::string_view item)>;

  explicit ListReader(ItemSink on_item);

  // Reads the next piece of the body, of any size.  Fails with InvalidInput where the body cannot
  // go on like that ("octet 17: ..."), and with Exhausted at MaxListItem and MaxListEnvelope;
  // elements before that place have been called.  Every further call then fails alike.
  Result<void> feed(std::string_view piece);

  // The body is over.  Returns what it says of the list, or the Status that came instead.  Fails
  // where feed() failed, when the body was cut off, and when it is neither a list nor a Status.
  Result<std::variant<ListMeta, ApiStatus>> finish();

  // How many elements have been called so far.
  std::size_t items() const noexcept { return items_; }

 private:
  enum class Place : std::uint8_t {
    Start,      // In front of the body's brace.
    Envelope,   // In the body, outside `items`.
    FirstItem,  // Behind the bracket of `items`.
    NextItem,   // Behind a comma of `items`.
    Item,       // In an element.
    ItemEnd,    // Behind an element.
    End,        // Behind the body's last brace.
  };

  void read_item(std::string_view& piece);
  void read_between_items(char octet);
  void read_envelope(char octet);
  void end_string() noexcept;
  void fail(ErrorKind kind, std::string_view message);

  ItemSink on_item_;
  Place place_ = Place::Start;
  std::size_t octets_ = 0;  // Read so far.
  std::size_t items_ = 0;
  std::optional<Error> error_;

  JsonExtent extent_;
  std::string item_;  // The beginning of an element that goes on in the next piece.

  // The envelope is the body without its elements, and is JSON again.
  std::string envelope_;
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool is_escaped_ = false;
  std::size_t string_begin_ = 0;  // In envelope_, of the last string.
  bool is_items_key_ = false;     // The last string was the key "items" of the body itself.
};

}  // namespace waypost::kube
